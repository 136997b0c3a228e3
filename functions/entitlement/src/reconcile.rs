//! One license held against what AWS Marketplace shows, on demand.

use std::time::Duration;

use http::StatusCode;
use serde::Serialize;
use stallkeeper::aws::chain;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::marketplace::Marketplace;
use stallkeeper::reconcile::{Finding, Pace, ReconcileError, Reconciler, Repair};
use stallkeeper::store::Store;

use crate::licenses::known;
use crate::view::LicenseView;

/// How long AWS may take over all: less than the function has.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Serialize)]
struct ReconciledView<'a> {
    license: LicenseView<'a>,
    /// What was made good, on it and on the licenses that took over from it.
    repairs: Vec<Repair>,
    /// What a person must look at.
    findings: Vec<Finding>,
}

/// `POST /v1/licenses/{license}/reconcile`: asks AWS how it stands, and makes good what news left out. Done again it
/// changes nothing. Nobody decides anything here, so no audit log has it; the function's log has each repair.
pub(crate) async fn now(
    store: &Store,
    marketplace: &Marketplace,
    request: &Request,
    license: &str,
) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let license = known(store, license).await?;
    if license.id.is_probe() {
        // AWS has never heard of it.
        return Err(Problem::license_unknown(&license.id).into());
    }
    let pace = Pace::of(Duration::ZERO);
    let reconciler = Reconciler::new(store, marketplace, &pace);
    let reconciled = tokio::time::timeout(PATIENCE, reconciler.reconcile(&license.id)).await;
    let outcome = match reconciled {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(ReconcileError::Store(error))) => return Err(error.into()),
        Ok(Err(ReconcileError::Marketplace(error))) => {
            tracing::error!(license = %license.id, error = %chain(&error), "AWS Marketplace did not answer");
            return Err(Problem::unavailable().detail(error).into());
        }
        Err(_) => return Err(Problem::unavailable().detail("AWS Marketplace took too long").into()),
    };
    let license = store.license(&license.id).await?.unwrap_or(license);
    let view = LicenseView::at(&license, store.clock().now());
    let view = ReconciledView { license: view, repairs: outcome.repairs, findings: outcome.findings };
    Ok(Response::json(StatusCode::OK, &view))
}
