//! Moves buyers from a customer key to a license key, once the hour of their move has come.

use domain::errors::chain;
use domain::ids::LicenseId;
use futures_util::FutureExt;
use std::time::Duration;

use crate::run::{Run, run_concurrently};
use lambda::metrics::Metric;
use lifecycle::reconcile::RateLimiter;
use store::StoreError;
use tokio::time::Instant;

/// The time from one DescribeAgreement call to the next: AWS accepts 5 a second per account, and other functions call
/// it too.
const CALL_INTERVAL: Duration = Duration::from_millis(400);

/// The time that a run may spend on moves before it continues with the billing of other licenses; the next run moves
/// the rest.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The most buyers that are moved at the same time.
const MAX_CONCURRENT_MOVES: usize = 4;

/// Moves the buyers whose move is due to their license keys. A failed move does not delay the others.
pub(crate) async fn move_licenses(run: &Run<'_>) -> Result<(), StoreError> {
    let due = run.store.licenses_to_move(run.now).await?;
    let (rate_limiter, until) = (RateLimiter::new(CALL_INTERVAL), Instant::now() + TIME_LIMIT);
    let moving = due.iter().map(|id| {
        let rate_limiter = &rate_limiter;
        async move {
            if !run.closing_deadline_passed() && Instant::now() < until {
                rate_limiter.wait_turn().await;
                try_move(run, id).await;
            }
        }
        .boxed()
    });
    run_concurrently(MAX_CONCURRENT_MOVES, moving.collect()).await;
    Ok(())
}

async fn try_move(run: &Run<'_>, id: &LicenseId) {
    if let Err(error) = lifecycle::move_if_due(run.store, run.marketplace, id).await {
        run.count(Metric::HoursNotSettled, 1);
        tracing::error!(run = run.id, license = %id, error = chain(&error), "Failed to move a buyer to a license key; the next run retries");
    }
}
