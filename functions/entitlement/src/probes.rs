//! Probes: licenses without a buyer, with which an operator tests the seller's application as a buyer would.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use domain::ids::{LicenseId, PROBE_TENANTS, ProductCode, TenantId};
use domain::registration::{EntryPoint, HANDOFF_LIFETIME};
use http::StatusCode;
use jiff::Timestamp;
use lambda::http::contract::{BodyInvalid, BodyTooLarge, Failed, Forbidden, TooMany, Unavailable};
use lambda::http::extract::{NoParameters, Query};
use lambda::http::{ApiError, Problem, extract};
use lifecycle::Probe;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

/// The product and the page of the application that a probe is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeRequest {
    product: ProductCode,
    /// The page of the application.
    #[schema(default = "sign_up")]
    #[serde(default = "sign_up")]
    entry_point: EntryPoint,
}

fn sign_up() -> EntryPoint {
    EntryPoint::SignUp
}

// Its `url` has a secret, so it has no `Debug`.
/// A new probe.
#[derive(Serialize, ToSchema)]
#[schema(as = Probe)]
pub(crate) struct ProbeView {
    license: LicenseId,
    /// The page of the application to which a buyer would be sent, with a code that can be redeemed once.
    #[schema(format = "uri")]
    url: String,
    /// The time at which the code expires.
    code_expires_at: Timestamp,
    #[schema(schema_with = tenant_prefix)]
    tenant_prefix: &'static str,
    /// The time at which the probe ends.
    expires_at: Timestamp,
}

fn tenant_prefix() -> Object {
    let description = "The beginning of the id of every tenant that the probe can be linked to.";
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    text.enum_values(Some([PROBE_TENANTS])).build()
}

/// Creates a probe: a license to test the application with, as a buyer does.
///
/// It is in force for a day, grants one of everything that a license can grant, and is never metered, published or
/// listed. It can be linked only to tenants whose ids start with `probe-`, and no other license can be linked to those.
/// Each request creates another probe.
#[utoipa::path(
    post,
    path = "/v1/probes",
    operation_id = "makeProbe",
    tag = "buyers",
    request_body(content = ProbeRequest, example = json!({ "product": "4democontract0000000000ab" })),
    responses(
        (status = 201, description = "The probe.", body = ProbeView),
        BodyInvalid, Forbidden, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn create(
    State(context): State<Arc<Context>>,
    Query(NoParameters {}): Query<NoParameters>,
    extract::Json(ProbeRequest { product, entry_point }): extract::Json<ProbeRequest>,
) -> Result<(StatusCode, Json<ProbeView>), ApiError> {
    let store = &context.store;
    let listing = store.listing(&product).await?;
    let listing =
        listing.ok_or_else(|| Problem::invalid("product", format!("this stack has no listing of {product}")))?;
    let now = store.clock().now();
    let Probe { license, code, .. } = lifecycle::create_probe(store, &listing, entry_point).await?;
    tracing::info!(license = %license.id, %product, "Created a probe");
    let view = ProbeView {
        license: license.id,
        url: listing.urls.entry_url(entry_point, &code).into(),
        code_expires_at: now.saturating_add(HANDOFF_LIFETIME).unwrap_or(Timestamp::MAX),
        tenant_prefix: PROBE_TENANTS,
        expires_at: license.expires_at.and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(now),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Refuses a tenant that a license may not belong to: probes have tenants of their own, and those have nothing else.
pub(crate) fn may_belong(license: &LicenseId, tenant: &TenantId) -> Result<(), Problem> {
    if license.is_probe() == tenant.is_for_probes() {
        return Ok(());
    }
    let why = if license.is_probe() {
        format!("{license} is a probe: its tenant's id begins with `{PROBE_TENANTS}`")
    } else {
        format!("an id that begins with `{PROBE_TENANTS}` is reserved for probes")
    };
    Err(Problem::invalid("tenant", why))
}
