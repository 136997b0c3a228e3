//! Probes: licenses that are made to look at the seller's application with, as a buyer does, and are of nobody.

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::ids::{LicenseId, PROBE_TENANTS, ProductCode, TenantId};
use stallkeeper::lifecycle::{self, Probe};
use stallkeeper::registration::{Door, HANDOFF_LIFE};
use stallkeeper::store::Store;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    product: ProductCode,
    #[serde(default = "sign_up")]
    door: Door,
}

fn sign_up() -> Door {
    Door::SignUp
}

#[derive(Serialize)]
struct ProbeView<'a> {
    license: &'a LicenseId,
    /// Where a buyer would arrive, with a code that can be redeemed once.
    url: &'a str,
    /// Until when.
    code_expires_at: Timestamp,
    /// What the tenant's id must begin with that it is linked to.
    tenant_prefix: &'static str,
    /// When the probe is gone.
    expires_at: Timestamp,
}

/// `POST /v1/probes` with `{"product": "…", "door": "sign_up"}`: makes a license that is in force for a day, with a code to
/// arrive at the application by. It is never metered, told or listed, and belongs only to tenants of its own. Each request
/// makes another.
pub(crate) async fn make(store: &Store, request: &Request) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let Wanted { product, door } = request.json()?;
    let listing = store
        .listing(&product)
        .await?
        .ok_or_else(|| Problem::invalid("product", format!("this stack has no listing of {product}")))?;
    let now = store.clock().now();
    let Probe { license, code, .. } = lifecycle::make_probe(store, &listing, door).await?;
    tracing::info!(license = %license.id, %product, "a probe is made");
    let url = listing.urls.way_in(door, &code);
    let view = ProbeView {
        license: &license.id,
        url: url.as_str(),
        code_expires_at: now.saturating_add(HANDOFF_LIFE).unwrap_or(Timestamp::MAX),
        tenant_prefix: PROBE_TENANTS,
        expires_at: license.expires_at.and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(now),
    };
    Ok(Response::json(StatusCode::CREATED, &view))
}

/// Refuses a tenant that a license may not belong to: probes have tenants of their own, and those have nothing else.
pub(crate) fn may_belong(license: &LicenseId, tenant: &TenantId) -> Result<(), Problem> {
    if license.is_probe() == tenant.is_for_probes() {
        return Ok(());
    }
    let why = if license.is_probe() {
        format!("{license} is a probe: its tenant's id begins with `{PROBE_TENANTS}`")
    } else {
        format!("an id that begins with `{PROBE_TENANTS}` is kept for probes")
    };
    Err(Problem::invalid("tenant", why))
}
