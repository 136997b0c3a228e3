//! Leaves the evidence of a run for the auditor: AWS booked usage, endings were flushed, and the outcomes of the run's
//! calls to AWS.
//!
//! It runs at the end of the run: no claimed record waits for it.

use crate::run::{EvidenceOfRun, Run};
use domain::errors::chain;
use domain::evidence::EvidenceKind;
use domain::ids::{LicenseId, ProductCode};
use domain::metering::{ACCEPTANCE_WINDOW, HourlyRecord, RecordState};
use domain::time::UsageHour;
use futures_util::future::{join_all, join3};
use store::StoreError;

pub(crate) async fn write(run: &Run<'_>) {
    let EvidenceOfRun { booked, closed } = run.take_evidence();
    let accepted = booked.iter().map(|product| run.store.note_evidence(product, EvidenceKind::UsageAccepted));
    let ended = closed.iter().map(|(product, licenses)| note_ending(run, product, licenses));
    let outcomes = run.store.note_outcomes("metering", run.marketplace.take_outcomes());
    join3(join_all(accepted), join_all(ended), outcomes).await;
}

/// Notes the first license that was closed with all its usage booked. One is evidence enough.
async fn note_ending(run: &Run<'_>, product: &ProductCode, licenses: &[LicenseId]) {
    for license in licenses {
        match is_all_sent(run, license).await {
            Ok(true) => return run.store.note_evidence(product, EvidenceKind::EndingFlushed).await,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%license, error = chain(&error), "Failed to read whether all usage of an ended license is booked")
            }
        }
    }
}

/// Returns `true` if AWS has booked all usage of a license until its end.
async fn is_all_sent(run: &Run<'_>, license: &LicenseId) -> Result<bool, StoreError> {
    let newest = UsageHour::of(run.now);
    let oldest = UsageHour::of(newest.start().checked_sub(ACCEPTANCE_WINDOW).unwrap_or(newest.start()));
    let records = run.store.records_between(license, (oldest, newest), None, 1000).await?.records;
    let is_sent =
        |record: &HourlyRecord| matches!(record.state, RecordState::Accepted { .. } | RecordState::Folded { .. });
    Ok(records.iter().all(is_sent))
}
