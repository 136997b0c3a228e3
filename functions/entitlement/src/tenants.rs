//! Tenants: their management by AWS Marketplace, and what they may use.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::decision::{self, Decision, Holding, Question};
use domain::evidence::EvidenceKind;
use domain::ids::{DimensionKey, TenantId};
use domain::license::{License, StateName};
use domain::listing::SUBSCRIPTIONS_PAGE;
use domain::usage::plain_decimal;
use futures_util::future::{join, join_all};
use lambda::http::contract::{Failed, Forbidden, ParameterInvalid, TenantPath, TooLarge, TooMany, Unavailable};
use lambda::http::extract::{NoParameters, Path, Query};
use lambda::http::{ApiError, Problem};
use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use store::StoreError;
use utoipa::{IntoParams, ToSchema};

use crate::context::Context;
use crate::view::LicenseView;

/// A tenant, with all its licenses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant, example = json!({
    "tenant": "nobody",
    "managed": false,
    "change_plan": { "in_application": true },
    "cancel": { "in_application": true },
    "licenses": [],
}))]
pub(crate) struct TenantView {
    tenant: TenantId,
    /// AWS Marketplace manages the tenant: it has a license that is active, pending or ending, or its id is reserved
    /// for probes.
    managed: bool,
    /// The place to change the plan.
    change_plan: Permission,
    /// The place to cancel.
    cancel: Permission,
    licenses: Vec<LicenseView>,
}

/// The place where a tenant does something: the application, or the page `url`.
#[derive(Debug, Serialize, ToSchema)]
struct Permission {
    /// The application does it.
    in_application: bool,
    /// The page on which it is done instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = "uri")]
    url: Option<&'static str>,
}

// AWS Marketplace's SaaS product guidelines: billing goes through the listed dimensions alone.
/// Shows a tenant's licenses, and if AWS Marketplace manages it.
///
/// A managed tenant changes its plan and cancels on AWS Marketplace, not in the application. An unknown tenant is not
/// managed, and is no error. A tenant whose id is reserved for probes is managed even before it has a license, so that
/// an operator can test the application without linking anything.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}",
    operation_id = "showTenant",
    tag = "tenants",
    params(TenantPath),
    responses(
        (status = 200, description = "The tenant with all its licenses.", body = TenantView),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn show(
    State(context): State<Arc<Context>>,
    Path(tenant): Path<TenantId>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<TenantView>, ApiError> {
    let store = &context.store;
    let licenses = store.licenses_of_tenant(&tenant).await?;
    context.note_asked(&licenses).await;
    let now = store.clock().now();
    let has_ended = |license: &License| matches!(license.state_at(now).name(), StateName::Ended | StateName::Failed);
    let managed = tenant.is_for_probes() || !licenses.iter().all(has_ended);
    let permission = || Permission { in_application: !managed, url: managed.then_some(SUBSCRIPTIONS_PAGE) };
    Ok(Json(TenantView {
        tenant,
        managed,
        change_plan: permission(),
        cancel: permission(),
        licenses: licenses.into_iter().map(|license| LicenseView::at(license, now)).collect(),
    }))
}

/// The parameters of a decision.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionQuery {
    /// Decides about this dimension only.
    #[param(example = "seats")]
    dimension: Option<DimensionKey>,
    /// Decides about this much of the dimension in total, with at most 28 digits. Needs `dimension`. Without it, any
    /// amount that is held allows.
    #[serde(default, deserialize_with = "plain_quantity")]
    #[param(value_type = Option<String>, pattern = "^(0|[1-9][0-9]*)(\\.[0-9]+)?$", example = "5")]
    quantity: Option<Decimal>,
}

/// Reads a quantity in the plain form of a decimal.
fn plain_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let quantity = plain_decimal(&String::deserialize(deserializer)?);
    quantity.map(Some).ok_or_else(|| D::Error::custom("must be a number such as 5 or 0.25"))
}

impl DecisionQuery {
    /// Returns the question about one dimension; none about all of them.
    fn question(self) -> Result<Option<Question>, Problem> {
        match self {
            Self { dimension: Some(dimension), quantity } => Ok(Some(Question { dimension, quantity })),
            Self { dimension: None, quantity: None } => Ok(None),
            Self { dimension: None, quantity: Some(_) } => {
                Err(Problem::invalid("quantity", "needs a `dimension` beside it"))
            }
        }
    }
}

/// The decision about the dimension of the request, or about all dimensions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = EntitlementDecision)]
pub(crate) enum Decided {
    One(DecisionForTenant),
    All(DecisionsForTenant),
}

/// The decision about the dimension that the request names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionForTenant {
    tenant: TenantId,
    #[serde(flatten)]
    #[schema(inline)]
    decision: Decision,
}

/// The decisions about all dimensions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionsForTenant {
    tenant: TenantId,
    decisions: Vec<Decision>,
}

/// Decides if a tenant may use a dimension, and how much of it.
///
/// With `dimension`, the answer is one decision; without it, a decision about each dimension. The request makes no call
/// to AWS: the answer names the age of the entitlements that it rests on.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/entitlements",
    operation_id = "decideEntitlements",
    tag = "tenants",
    params(TenantPath, DecisionQuery),
    responses(
        (
            status = 200,
            description = "One decision, or all.",
            body = Decided,
            examples(
                ("one" = (value = json!({
                    "tenant": "acme",
                    "dimension": "seats",
                    "allowed": true,
                    "reason": "entitled",
                    "held": "5",
                    "until": "2027-11-10T09:20:00Z",
                    "expiry_passed": false,
                    "as_of": "2026-11-10T09:21:01Z",
                    "age_seconds": 12,
                    "licenses": ["l-0123456789abcdef0123456789abcdef"],
                }))),
                ("all" = (value = json!({ "tenant": "nobody", "decisions": [] }))),
            ),
        ),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn decide(
    State(context): State<Arc<Context>>,
    Path(tenant): Path<TenantId>,
    Query(query): Query<DecisionQuery>,
) -> Result<Json<Decided>, ApiError> {
    let question = query.question()?;
    let licenses = context.store.licenses_of_tenant(&tenant).await?;
    let (holdings, ()) = join(context.holdings(&licenses), context.note_asked(&licenses)).await;
    let (holdings, now) = (holdings?, context.store.clock().now());
    Ok(Json(match question {
        Some(question) => {
            Decided::One(DecisionForTenant { tenant, decision: decision::decide(&question, &holdings, now) })
        }
        None => Decided::All(DecisionsForTenant { tenant, decisions: decision::decide_all(&holdings, now) }),
    }))
}

impl Context {
    /// Returns the licenses with their listings.
    async fn holdings(&self, licenses: &[License]) -> Result<Vec<Holding>, StoreError> {
        let mut holdings = Vec::with_capacity(licenses.len());
        for license in licenses {
            let listing = self.store.listing(&license.product).await?;
            holdings.push(Holding { license: license.clone(), listing });
        }
        Ok(holdings)
    }

    /// Notes for the auditor that the application asks about its tenants; requests about probes do not count.
    async fn note_asked(&self, licenses: &[License]) {
        let asked = licenses.iter().filter(|license| !license.id.is_probe());
        let products: BTreeSet<_> = asked.map(|license| &license.product).collect();
        let note = |product| self.store.note_evidence(product, EvidenceKind::EntitlementAsked);
        join_all(products.into_iter().map(note)).await;
    }
}
