//! Reconciliation of one license with what AWS Marketplace shows, on demand.

use crate::context::Context;
use crate::view::LicenseView;
use axum::Json;
use axum::extract::State;
use domain::errors::chain;
use domain::ids::LicenseId;
use lambda::http::contract::{
    Failed, Forbidden, LicensePath, LicenseUnknown, ParameterInvalid, TooLarge, TooMany, Unavailable,
};
use lambda::http::extract::{NoParameters, Path, Query};
use lambda::http::{ApiError, Problem};
use lifecycle::reconcile::{Finding, RateLimiter, ReconcileError, Reconciler, Repair};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// The limit on all calls to AWS of one request: less than the function's timeout.
const AWS_TIMEOUT: Duration = Duration::from_secs(20);

/// A license after its reconciliation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reconciled)]
pub(crate) struct ReconciledView {
    license: LicenseView,
    /// The repairs of the license and of its successors; none if no event was missing.
    repairs: Vec<Repair>,
    /// The contradictions that no rule repairs, and that an operator must resolve.
    findings: Vec<Finding>,
}

// The caller decides nothing here, so the audit log has no entry; the function's log has each repair.
/// Compares a license with what AWS Marketplace shows now, and repairs what AWS's events left out.
///
/// The stack does this once a day for every license that did not end long ago. Repeating the request changes nothing.
#[utoipa::path(
    post,
    path = "/v1/licenses/{license}/reconcile",
    operation_id = "reconcileLicense",
    tag = "licenses",
    params(LicensePath),
    responses(
        (status = 200, description = "The license as it is now, and its repairs.", body = ReconciledView),
        ParameterInvalid, Forbidden, LicenseUnknown, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn reconcile(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<ReconciledView>, ApiError> {
    let Context { store, marketplace, .. } = &*context;
    let license = context.license(&license).await?;
    if license.id.is_probe() {
        // AWS does not know it.
        return Err(Problem::license_unknown(&license.id).into());
    }
    let rate_limiter = RateLimiter::new(Duration::ZERO);
    let reconciler = Reconciler::new(store, marketplace, &rate_limiter);
    let reconciled = tokio::time::timeout(AWS_TIMEOUT, reconciler.reconcile(&license.id)).await;
    let outcome = match reconciled {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(ReconcileError::Store(error))) => return Err(error.into()),
        Ok(Err(ReconcileError::Marketplace(error))) => {
            tracing::error!(license = %license.id, error = %chain(&error), "Failed to reconcile a license: AWS Marketplace did not answer");
            return Err(Problem::unavailable().detail(error).into());
        }
        Err(_) => return Err(Problem::unavailable().detail("AWS Marketplace did not answer in time").into()),
    };
    let license = store.license(&license.id).await?.unwrap_or(license);
    let license = LicenseView::at(license, store.clock().now());
    Ok(Json(ReconciledView { license, repairs: outcome.repairs, findings: outcome.findings }))
}
