//! Tenants: whether AWS Marketplace manages one, and what it may use.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use http::StatusCode;
use rust_decimal::Decimal;
use serde::Serialize;
use stallkeeper::entitlement::{Decision, Holding, Question, decide as answer, decide_all};
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::ids::{DimensionKey, TenantId};
use stallkeeper::license::{License, StateName};
use stallkeeper::listing::SUBSCRIPTIONS_PAGE;
use stallkeeper::readiness::EvidenceKind;
use stallkeeper::store::{Store, StoreError};
use stallkeeper::usage::plain_decimal;

use crate::view::LicenseView;

#[derive(Serialize)]
struct TenantView<'a> {
    tenant: &'a TenantId,
    /// Whether a license of it is in force, on its way, or ending.
    managed: bool,
    /// What it may do inside the application.
    change_plan: Permission,
    leave: Permission,
    licenses: Vec<LicenseView<'a>>,
}

#[derive(Serialize)]
struct Permission {
    in_application: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'static str>,
}

/// `GET /v1/tenants/{tenant}`: whether AWS Marketplace manages it. One that nothing was heard of is not managed.
///
/// A tenant that AWS Marketplace manages changes its plan and leaves there, not in the application (AWS Marketplace's
/// SaaS product guidelines: billing goes through the listed dimensions alone).
pub(crate) async fn show(store: &Store, request: &Request, tenant: &str) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let tenant = read_tenant(tenant)?;
    let licenses = store.licenses_of_tenant(&tenant).await?;
    note_asked(store, &licenses).await;
    let now = store.clock().now();
    let is_over = |license: &License| matches!(license.state_at(now).name(), StateName::Ended | StateName::Failed);
    let managed = !licenses.iter().all(is_over);
    let permission = || Permission { in_application: !managed, at: managed.then_some(SUBSCRIPTIONS_PAGE) };
    let view = TenantView {
        tenant: &tenant,
        managed,
        change_plan: permission(),
        leave: permission(),
        licenses: licenses.iter().map(|license| LicenseView::at(license, now)).collect(),
    };
    Ok(Response::json(StatusCode::OK, &view))
}

#[derive(Serialize)]
struct One<'a> {
    tenant: &'a TenantId,
    #[serde(flatten)]
    decision: Decision,
}

#[derive(Serialize)]
struct All<'a> {
    tenant: &'a TenantId,
    decisions: Vec<Decision>,
}

/// `GET /v1/tenants/{tenant}/entitlements?dimension=&quantity=`: may it use that dimension, that much of it? Without
/// a dimension: the answer for each.
pub(crate) async fn decide(store: &Store, request: &Request, tenant: &str) -> Result<Response, Refusal> {
    request.only_parameters(&["dimension", "quantity"])?;
    let tenant = read_tenant(tenant)?;
    let question = read_question(request)?;
    let licenses = store.licenses_of_tenant(&tenant).await?;
    let (holdings, ()) = join(holdings(store, &licenses), note_asked(store, &licenses)).await;
    let (holdings, now) = (holdings?, store.clock().now());
    Ok(match question {
        Some(question) => {
            let decision = answer(&question, &holdings, now);
            Response::json(StatusCode::OK, &One { tenant: &tenant, decision })
        }
        None => {
            let decisions = decide_all(&holdings, now);
            Response::json(StatusCode::OK, &All { tenant: &tenant, decisions })
        }
    })
}

async fn holdings(store: &Store, licenses: &[License]) -> Result<Vec<Holding>, StoreError> {
    let mut holdings = Vec::with_capacity(licenses.len());
    for license in licenses {
        let listing = store.listing(&license.product).await?;
        holdings.push(Holding { license: license.clone(), listing });
    }
    Ok(holdings)
}

/// Leaves for the auditor that the application asks about its tenants; a probe's is nobody's.
async fn note_asked(store: &Store, licenses: &[License]) {
    let products: BTreeSet<_> =
        licenses.iter().filter(|license| !license.id.is_probe()).map(|license| &license.product).collect();
    join_all(products.into_iter().map(|product| store.note_evidence(product, EvidenceKind::EntitlementAsked))).await;
}

fn read_tenant(text: &str) -> Result<TenantId, Problem> {
    text.parse().map_err(|error| Problem::invalid("tenant", error))
}

fn read_question(request: &Request) -> Result<Option<Question>, Problem> {
    let dimension: Option<DimensionKey> = request
        .parameter("dimension")
        .map(str::parse)
        .transpose()
        .map_err(|error| Problem::invalid("dimension", error))?;
    let quantity = request.parameter("quantity").map(read_quantity).transpose()?;
    match (dimension, quantity) {
        (Some(dimension), quantity) => Ok(Some(Question { dimension, quantity })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Problem::invalid("quantity", "needs a `dimension` beside it")),
    }
}

fn read_quantity(text: &str) -> Result<Decimal, Problem> {
    plain_decimal(text).ok_or_else(|| Problem::invalid("quantity", "must be a number such as 5 or 0.25"))
}
