//! Buyers whose hour has come to move from a customer key to a license key.

use std::time::Duration;

use futures_util::FutureExt;
use stallkeeper::aws::chain;
use stallkeeper::ids::LicenseId;
use stallkeeper::lifecycle;
use stallkeeper::metrics::Metric;
use stallkeeper::reconcile::Pace;
use stallkeeper::store::StoreError;
use tokio::time::Instant;

use crate::run::{Run, together};

/// From one DescribeAgreement to the next: AWS takes 5 a second of an account, and others ask it too.
const PACE: Duration = Duration::from_millis(400);

/// For how long a run moves buyers before it goes on to what bills others; the next run moves the rest.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How many buyers are moved at the same time.
const AT_ONCE: usize = 4;

/// Moves the buyers whose hour has come to their license keys. One holds up no other.
pub(crate) async fn move_licenses(run: &Run<'_>) -> Result<(), StoreError> {
    let due = run.store.licenses_to_move(run.now).await?;
    let (pace, until) = (Pace::of(PACE), Instant::now() + TIME_LIMIT);
    let moving = due.iter().map(|id| {
        let pace = &pace;
        async move {
            if !run.closing_deadline_passed() && Instant::now() < until {
                pace.turn().await;
                move_alone(run, id).await;
            }
        }
        .boxed()
    });
    together(AT_ONCE, moving.collect()).await;
    Ok(())
}

async fn move_alone(run: &Run<'_>, id: &LicenseId) {
    if let Err(error) = lifecycle::move_if_due(run.store, run.marketplace, id).await {
        run.count(Metric::HoursNotSettled, 1);
        tracing::error!(run = run.id, license = %id, error = chain(&error), "the move is tried again in the next run");
    }
}
