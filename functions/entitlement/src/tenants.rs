//! Tenants: their management by AWS Marketplace, and what they may use.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::{join, join_all};
use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use stallkeeper::entitlement::{self, Decision, Holding, Question};
use stallkeeper::http::extract::{NoParameters, Path, Query};
use stallkeeper::http::{ApiError, Problem};
use stallkeeper::ids::{DimensionKey, TenantId};
use stallkeeper::license::{License, StateName};
use stallkeeper::listing::SUBSCRIPTIONS_PAGE;
use stallkeeper::readiness::EvidenceKind;
use stallkeeper::store::StoreError;
use stallkeeper::usage::plain_decimal;

use crate::Context;
use crate::view::LicenseView;

/// A tenant as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct TenantView {
    tenant: TenantId,
    /// The tenant has a license that is active, pending or ending, or is kept for probes.
    managed: bool,
    /// The place to change the plan.
    change_plan: Permission,
    /// The place to cancel.
    leave: Permission,
    licenses: Vec<LicenseView>,
}

/// The place where a tenant does something: the application, or the page `at`.
#[derive(Debug, Serialize)]
struct Permission {
    in_application: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'static str>,
}

/// `GET /v1/tenants/{tenant}`: the tenant's licenses, and whether AWS Marketplace manages it. An unknown tenant is not
/// managed. One that is kept for probes is, also before it has a license: so an operator can test the application's own
/// lock without linking anything.
///
/// A tenant that AWS Marketplace manages changes its plan and cancels there, not in the application (AWS Marketplace's
/// SaaS product guidelines: billing goes through the listed dimensions alone).
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
    let permission = || Permission { in_application: !managed, at: managed.then_some(SUBSCRIPTIONS_PAGE) };
    Ok(Json(TenantView {
        tenant,
        managed,
        change_plan: permission(),
        leave: permission(),
        licenses: licenses.into_iter().map(|license| LicenseView::at(license, now)).collect(),
    }))
}

/// The parameters of a decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionQuery {
    /// Decides about this dimension only.
    dimension: Option<DimensionKey>,
    /// Decides about this much of the dimension in total.
    #[serde(default, deserialize_with = "plain_quantity")]
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

/// What a tenant may use.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Decided {
    /// The answer for the dimension that the caller named.
    One {
        tenant: TenantId,
        #[serde(flatten)]
        decision: Decision,
    },
    /// The answers for all dimensions.
    All { tenant: TenantId, decisions: Vec<Decision> },
}

/// `GET /v1/tenants/{tenant}/entitlements?dimension=&quantity=`: decides whether the tenant may use the dimension, and that
/// much of it. Without a dimension, it decides about each.
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
        Some(question) => Decided::One { tenant, decision: entitlement::decide(&question, &holdings, now) },
        None => Decided::All { tenant, decisions: entitlement::decide_all(&holdings, now) },
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
