//! Licenses: the list, one of them, and its link to a tenant.

use crate::context::Context;
use crate::probes::may_belong;
use crate::problem_responses::{LicenseLinkedElsewhere, NotOfTenant};
use crate::view::LicenseView;
use axum::Json;
use axum::extract::State;
use domain::audit::AuditEntry;
use domain::evidence::EvidenceKind;
use domain::ids::{AccountId, LicenseId, TenantId};
use domain::license::{License, StateName};
use domain::registration::EntryPoint;
use http::StatusCode;
use lambda::http::contract::{
    BodyInvalid, BodyTooLarge, Failed, Forbidden, LicensePath, LicenseUnknown, ParameterInvalid, TooLarge, TooMany,
    Unavailable,
};
use lambda::http::extract::{Caller, Limit, NoParameters, Path, Query};
use lambda::http::{ApiError, Problem, extract};
use lifecycle::Linking;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;
use store::{Page, Store, StoreError};
use utoipa::{IntoParams, ToSchema};

/// The longest reason of a change by an operator, in characters.
const MAX_REASON_CHARS: usize = 500;

/// The most reads of the table in one request, where what they find is not in the state asked for.
const MAX_READS: usize = 20;

type LicensesLimit = Limit<50, 200>;

/// The parameters of the list of licenses.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LicensesQuery {
    /// Lists only the licenses of this AWS account.
    account: Option<AccountId>,
    /// Lists only the licenses in this state.
    #[serde(default, deserialize_with = "state_name")]
    state: Option<StateName>,
    /// The largest number of licenses in the page.
    #[serde(default)]
    #[param(inline)]
    limit: LicensesLimit,
    /// The `next` of the page before, unchanged. Any other value is answered 400 `parameter_invalid`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

/// Reads the name of a state; an error lists the names.
fn state_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StateName>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = StateName::ALL.into_iter().find(|state| state.as_str() == text);
    known.map(Some).ok_or_else(|| {
        let names: Vec<&str> = StateName::ALL.into_iter().map(StateName::as_str).collect();
        D::Error::custom(format_args!("must be one of {}", names.join(", ")))
    })
}

/// A page of licenses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Licenses {
    #[schema(max_items = 200)]
    licenses: Vec<LicenseView>,
    /// The `cursor` of the next page; null after the last. A page may be shorter than asked for and still have a next
    /// one.
    next: Option<String>,
}

/// Lists the licenses of an account, in a state, both, or all.
///
/// A license that changes its state between two pages may be missing or come twice.
#[utoipa::path(
    get,
    path = "/v1/licenses",
    operation_id = "listLicenses",
    tag = "licenses",
    params(LicensesQuery),
    responses(
        (status = 200, description = "A page of licenses.", body = Licenses),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn list(
    State(context): State<Arc<Context>>,
    Query(LicensesQuery { account, state, limit, cursor }): Query<LicensesQuery>,
) -> Result<Json<Licenses>, ApiError> {
    let store = &context.store;
    let now = store.clock().now();
    let mut page = Page { licenses: Vec::new(), next: cursor };
    for read in 0..MAX_READS {
        let left = limit.get() - i32::try_from(page.licenses.len()).unwrap_or(limit.get());
        if read > 0 && (page.next.is_none() || left <= 0) {
            break;
        }
        let more = match &account {
            Some(account) => store.licenses_of_account(account, page.next.as_deref(), left).await?,
            None => page_over_states(store, state, page.next.as_deref(), left).await?,
        };
        let is_wanted = |license: &License| state.is_none_or(|state| license.state_at(now).name() == state);
        page.licenses.extend(more.licenses.into_iter().filter(is_wanted));
        page.next = more.next;
    }
    let licenses = page.licenses.into_iter().map(|license| LicenseView::at(license, now)).collect();
    Ok(Json(Licenses { licenses, next: page.next }))
}

/// Returns a page of the index by state, one state after the other. Its cursor is the state's position and the index's
/// cursor.
///
/// A license is indexed by the state that it was written in, and time alone makes an ending one ended. One that changes
/// its state between two pages may be missing or come twice.
pub(crate) async fn page_over_states(
    store: &Store,
    wanted: Option<StateName>,
    cursor: Option<&str>,
    limit: i32,
) -> Result<Page, StoreError> {
    let states = match wanted {
        None => StateName::ALL.to_vec(),
        Some(StateName::Ended) => vec![StateName::Ending, StateName::Ended],
        Some(state) => vec![state],
    };
    let (place, inner) = match cursor {
        None => (0, None),
        Some(cursor) => {
            let (place, inner) = cursor.split_once('.').ok_or(StoreError::BadCursor)?;
            (place.parse().map_err(|_| StoreError::BadCursor)?, Some(inner).filter(|inner| !inner.is_empty()))
        }
    };
    let state = *states.get(place).ok_or(StoreError::BadCursor)?;
    let mut page = store.licenses_in_state(state, inner, limit).await?;
    page.next = match page.next {
        Some(inner) => Some(format!("{place}.{inner}")),
        None => states.get(place + 1).map(|_| format!("{}.", place + 1)),
    };
    Ok(page)
}

/// Shows a license.
#[utoipa::path(
    get,
    path = "/v1/licenses/{license}",
    operation_id = "showLicense",
    tag = "licenses",
    params(LicensePath),
    responses(
        (status = 200, description = "The license as it is now.", body = LicenseView),
        ParameterInvalid, Forbidden, LicenseUnknown, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<LicenseView>, ApiError> {
    let license = context.license(&license).await?;
    Ok(Json(LicenseView::at(license, context.store.clock().now())))
}

/// The tenant that a license is linked to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    tenant: TenantId,
}

/// Links a license to a tenant.
///
/// Repeating the request changes nothing. A license that belongs to another tenant stays there.
#[utoipa::path(
    put,
    path = "/v1/licenses/{license}/tenant",
    operation_id = "linkLicense",
    tag = "licenses",
    params(LicensePath),
    request_body(content = Link, example = json!({ "tenant": "acme" })),
    responses(
        (status = 200, description = "The license as it is now.", body = LicenseView),
        BodyInvalid, Forbidden, LicenseUnknown, LicenseLinkedElsewhere, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn link(
    State(context): State<Arc<Context>>,
    Path(id): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(Link { tenant }): extract::Json<Link>,
) -> Result<Json<LicenseView>, ApiError> {
    let store = &context.store;
    may_belong(&id, &tenant)?;
    let to = [("to", tenant.to_string())];
    let entry = AuditEntry::new(caller.arn(), "license.link", &id, to, store.clock().now());
    let linking = lifecycle::link_tenant(store, &id, &tenant, Some(&entry)).await?;
    context.note_link(&id, &linking).await;
    context.linked(&id, linking, || {
        Problem::new(StatusCode::CONFLICT, "license_linked_elsewhere", "The license belongs to another tenant.")
            .detail(format!("{id} is linked to another tenant, and stays linked to it"))
            .action("Have the buyer sign in to the account that the license was registered with.")
    })
}

/// The tenant that a license belongs to, and why it no longer should.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unlink {
    /// The tenant that the license belongs to.
    from: TenantId,
    /// The reason, for the audit log: 1 to 500 characters, not counting blanks around them.
    #[schema(min_length = 1, max_length = 500, pattern = "\\S")]
    reason: String,
}

/// Unlinks a license from its tenant, for an operator.
///
/// The license then belongs to no tenant, and the next buyer who registers it may link it. Its predecessors and
/// successors in a line of renewals are unlinked too. The audit log has the reason. Repeating the request changes
/// nothing.
#[utoipa::path(
    post,
    path = "/v1/licenses/{license}/tenant/unlink",
    operation_id = "unlinkLicense",
    tag = "licenses",
    params(LicensePath),
    request_body(
        content = Unlink,
        example = json!({ "from": "acme", "reason": "Ticket 4711: registered with the wrong account" }),
    ),
    responses(
        (status = 200, description = "The license as it is now.", body = LicenseView),
        BodyInvalid, Forbidden, LicenseUnknown, NotOfTenant, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn unlink(
    State(context): State<Arc<Context>>,
    Path(id): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(Unlink { from, reason }): extract::Json<Unlink>,
) -> Result<Json<LicenseView>, ApiError> {
    context.reassign(&caller, &id, ("license.unlink", &from, None), &reason).await
}

/// The tenant that a license belongs to, the tenant that it should belong to, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    /// The tenant that the license belongs to.
    from: TenantId,
    /// The tenant that the license is to belong to, another than `from`.
    to: TenantId,
    /// The reason, for the audit log: 1 to 500 characters, not counting blanks around them.
    #[schema(min_length = 1, max_length = 500, pattern = "\\S")]
    reason: String,
}

/// Moves a license to another tenant, for an operator.
///
/// Its predecessors and successors in a line of renewals are moved too. The audit log has the reason. Repeating the
/// request changes nothing. If `from` and `to` are the same tenant, the answer is 400 `parameter_invalid`.
#[utoipa::path(
    post,
    path = "/v1/licenses/{license}/tenant/move",
    operation_id = "moveLicense",
    tag = "licenses",
    params(LicensePath),
    request_body(
        content = Move,
        example = json!({ "from": "acme", "to": "acme-japan", "reason": "Ticket 4712: the company split up" }),
    ),
    responses(
        (status = 200, description = "The license as it is now.", body = LicenseView),
        BodyInvalid, Forbidden, LicenseUnknown, NotOfTenant, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn move_to_tenant(
    State(context): State<Arc<Context>>,
    Path(id): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(Move { from, to, reason }): extract::Json<Move>,
) -> Result<Json<LicenseView>, ApiError> {
    if from == to {
        return Err(Problem::invalid("to", "is the same tenant as `from`").into());
    }
    may_belong(&id, &to)?;
    context.reassign(&caller, &id, ("license.move", &from, Some(&to)), &reason).await
}

impl Context {
    /// Returns a license.
    ///
    /// # Errors
    ///
    /// Fails with a problem document where the table has no such license.
    pub(crate) async fn license(&self, id: &LicenseId) -> Result<License, ApiError> {
        let license = self.store.license(id).await?;
        license.ok_or_else(|| Problem::license_unknown(id).into())
    }

    /// Notes for the auditor what an application's request to link a license proves.
    async fn note_link(&self, id: &LicenseId, linking: &Linking) {
        let proven = match linking {
            Linking::Linked(license) if license.entry_point == Some(EntryPoint::SignIn) => {
                Some((&license.product, EvidenceKind::ExistingAccountLinked))
            }
            Linking::LinkedElsewhere(product) => Some((product, EvidenceKind::SecondClaimRefused)),
            Linking::Linked(_) | Linking::Unknown => None,
        };
        if let Some((product, kind)) = proven.filter(|_| !id.is_probe()) {
            self.store.note_evidence(product, kind).await;
        }
    }

    /// Moves a license from one tenant to another, or to none, for an operator.
    async fn reassign(
        &self,
        caller: &Caller,
        id: &LicenseId,
        (action, from, to): (&str, &TenantId, Option<&TenantId>),
        reason: &str,
    ) -> Result<Json<LicenseView>, ApiError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
            return Err(Problem::invalid("reason", format!("must be 1 to {MAX_REASON_CHARS} characters")).into());
        }
        let to_whom = to.map_or_else(|| "nobody".to_owned(), TenantId::to_string);
        let was = [("from", from.to_string()), ("to", to_whom), ("reason", reason.to_owned())];
        let entry = AuditEntry::new(caller.arn(), action, id, was, self.store.clock().now());
        let linking = lifecycle::move_license(&self.store, id, from, to, &entry).await?;
        tracing::info!(license = %id, audit = %entry.id, action, "An operator asked to move a license between tenants");
        self.linked(id, linking, || {
            Problem::new(StatusCode::CONFLICT, "license_not_of_tenant", "The license does not belong to that tenant.")
                .detail(format!("{id} does not belong to {from}, and is unchanged"))
                .action("Read the license, and send the tenant that it belongs to.")
        })
    }

    /// Returns the license after a link, or the problem that there was.
    fn linked(
        &self,
        id: &LicenseId,
        linking: Linking,
        elsewhere: impl Fn() -> Problem,
    ) -> Result<Json<LicenseView>, ApiError> {
        match linking {
            Linking::Linked(license) => Ok(Json(LicenseView::at(*license, self.store.clock().now()))),
            Linking::Unknown => Err(Problem::license_unknown(id).into()),
            Linking::LinkedElsewhere(_) => Err(elsewhere().into()),
        }
    }
}
