//! Licenses: the list, one of them, and its link to a tenant.

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stallkeeper::audit::AuditEntry;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::ids::{AccountId, LicenseId, TenantId};
use stallkeeper::license::{License, StateName};
use stallkeeper::lifecycle::{self, Linking};
use stallkeeper::readiness::EvidenceKind;
use stallkeeper::registration::Door;
use stallkeeper::store::{Page, Store, StoreError};

use crate::probes::may_belong;
use crate::view::LicenseView;

/// How many licenses a page has where the caller does not say.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;

/// The longest reason of a change by hand, in characters.
const LONGEST_REASON: usize = 500;

/// How often one request looks for more, where what it finds is not in the state asked for.
const MOST_LOOKS: usize = 20;

#[derive(Serialize)]
struct List<'a> {
    licenses: Vec<LicenseView<'a>>,
    /// Where the next page begins; none after the last. A page may be shorter than asked for and still have
    /// a next one.
    next: Option<String>,
}

/// `GET /v1/licenses?account=&state=&limit=&cursor=`: those of an account, in a state, both, or all.
pub(crate) async fn list(store: &Store, request: &Request) -> Result<Response, Refusal> {
    request.only_parameters(&["account", "state", "limit", "cursor"])?;
    let account: Option<AccountId> = parse(request, "account")?;
    let state = request.parameter("state").map(read_state).transpose()?;
    let limit = request.limit(PAGE, LONGEST_PAGE)?;
    let now = store.clock().now();
    let mut page = Page { licenses: Vec::new(), next: request.parameter("cursor").map(str::to_owned) };
    for look in 0..MOST_LOOKS {
        if look > 0 && (page.next.is_none() || page.licenses.len() >= limit) {
            break;
        }
        let left = i32::try_from(limit - page.licenses.len()).unwrap_or(1);
        let more = match &account {
            Some(account) => store.licenses_of_account(account, page.next.as_deref(), left).await?,
            None => page_over_states(store, state, page.next.as_deref(), left).await?,
        };
        let is_wanted = |license: &License| state.is_none_or(|state| license.state_at(now).name() == state);
        page.licenses.extend(more.licenses.into_iter().filter(is_wanted));
        page.next = more.next;
    }
    Ok(shown(&page, now))
}

fn shown(page: &Page, now: Timestamp) -> Response {
    let licenses = page.licenses.iter().map(|license| LicenseView::at(license, now)).collect();
    Response::json(StatusCode::OK, &List { licenses, next: page.next.clone() })
}

/// A page of the index by state, one state after the other. Its cursor is the state's place and the index's cursor.
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

/// `GET /v1/licenses/{license}`.
pub(crate) async fn show(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let license = known(store, license).await?;
    Ok(one(&license, store.clock().now()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    tenant: TenantId,
}

/// `PUT /v1/licenses/{license}/tenant` with `{"tenant": "…"}`: the license belongs to the tenant from now on.
///
/// The same again changes nothing. A license that belongs to another tenant stays there: 409, which does not say to
/// whom.
pub(crate) async fn link(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let id = read_license(license)?;
    let Link { tenant } = request.json()?;
    may_belong(&id, &tenant)?;
    let to = [("to", tenant.to_string())];
    let entry = AuditEntry::new(request.caller.as_deref(), "license.link", &id, to, store.clock().now());
    let linking = lifecycle::link_tenant(store, &id, &tenant, Some(&entry)).await?;
    note_link(store, &id, &linking).await;
    linked(store, &id, linking, || {
        Problem::new(StatusCode::CONFLICT, "license_linked_elsewhere", "The license belongs to another tenant.")
            .detail(format!("{id} was linked before and stays where it is"))
            .action("Have the buyer sign in to the account that the license was registered with.")
    })
}

/// What an application's wish to link a license proves of it.
async fn note_link(store: &Store, id: &LicenseId, linking: &Linking) {
    let proven = match linking {
        Linking::Linked(license) if license.door == Some(Door::SignIn) => {
            Some((&license.product, EvidenceKind::ExistingAccountLinked))
        }
        Linking::LinkedElsewhere(product) => Some((product, EvidenceKind::SecondClaimRefused)),
        Linking::Linked(_) | Linking::Unknown => None,
    };
    if let Some((product, kind)) = proven.filter(|_| !id.is_probe()) {
        store.note_evidence(product, kind).await;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlink {
    from: TenantId,
    reason: String,
}

/// `POST /v1/licenses/{license}/tenant/unlink` with `{"from": "…", "reason": "…"}`: the license belongs to nobody from
/// now on, and the next who registers may link it. For an operator; the reason stands in the audit log.
pub(crate) async fn unlink(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let id = read_license(license)?;
    let Unlink { from, reason } = request.json()?;
    give(store, request, &id, ("license.unlink", &from, None), &reason).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    from: TenantId,
    to: TenantId,
    reason: String,
}

/// `POST /v1/licenses/{license}/tenant/move` with `{"from": "…", "to": "…", "reason": "…"}`: the license belongs to the
/// other tenant from now on. For an operator; the reason stands in the audit log.
pub(crate) async fn move_on(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let id = read_license(license)?;
    let Move { from, to, reason } = request.json()?;
    if from == to {
        return Err(Problem::invalid("to", "is the same tenant as `from`").into());
    }
    may_belong(&id, &to)?;
    give(store, request, &id, ("license.move", &from, Some(&to)), &reason).await
}

async fn give(
    store: &Store,
    request: &Request,
    id: &LicenseId,
    (action, from, to): (&str, &TenantId, Option<&TenantId>),
    reason: &str,
) -> Result<Response, Refusal> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Problem::invalid("reason", format!("must be 1 to {LONGEST_REASON} characters")).into());
    }
    let to_whom = to.map_or_else(|| "nobody".to_owned(), TenantId::to_string);
    let was = [("from", from.to_string()), ("to", to_whom), ("reason", reason.to_owned())];
    let entry = AuditEntry::new(request.caller.as_deref(), action, id, was, store.clock().now());
    let linking = lifecycle::move_license(store, id, from, to, &entry).await?;
    tracing::info!(license = %id, audit = %entry.id, action, "asked for by hand");
    linked(store, id, linking, || {
        Problem::new(StatusCode::CONFLICT, "license_not_of_tenant", "The license does not belong to that tenant.")
            .detail(format!("{id} does not belong to {from}, and stays where it is"))
            .action("Look at the license, and name the tenant that it belongs to.")
    })
}

fn linked(
    store: &Store,
    id: &LicenseId,
    linking: Linking,
    elsewhere: impl Fn() -> Problem,
) -> Result<Response, Refusal> {
    match linking {
        Linking::Linked(license) => Ok(one(&license, store.clock().now())),
        Linking::Unknown => Err(Problem::license_unknown(id).into()),
        Linking::LinkedElsewhere(_) => Err(elsewhere().into()),
    }
}

/// The license that a path names.
pub(crate) async fn known(store: &Store, license: &str) -> Result<License, Refusal> {
    let id = read_license(license)?;
    Ok(store.license(&id).await?.ok_or_else(|| Problem::license_unknown(&id))?)
}

fn one(license: &License, now: Timestamp) -> Response {
    Response::json(StatusCode::OK, &LicenseView::at(license, now))
}

fn read_license(text: &str) -> Result<LicenseId, Problem> {
    text.parse().map_err(|error| Problem::invalid("license", error))
}

fn parse<T: std::str::FromStr>(request: &Request, name: &str) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    request.parameter(name).map(str::parse).transpose().map_err(|error: T::Err| Problem::invalid(name, error))
}

fn read_state(text: &str) -> Result<StateName, Problem> {
    let known = StateName::ALL.into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = StateName::ALL.into_iter().map(StateName::as_str).collect();
        Problem::invalid("state", format!("must be one of {}", names.join(", ")))
    })
}
