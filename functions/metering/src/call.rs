//! A call of BatchMeterUsage: claims its records, sends them, and settles them by AWS's answer.
//!
//! The claim is written before the call and the outcome after it, each by a conditional write. If the process stops in
//! between, the claim shows that there was an attempt, so that the answer to the next attempt is read correctly.

use crate::run::Run;
use domain::errors::chain;
use domain::ids::ProductCode;
use domain::license::{FINAL_REPORTING_PERIOD, State};
use domain::metering::{
    AcceptedBy, Answer, HourlyRecord, Outcome, RecordState, Rejection, Status, next_attempt, read_status,
};
use lambda::metrics::Metric;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::StoreError;
use tokio::time::{Instant, sleep_until};

/// The number of attempts after which a call that fails for an unknown reason is halved, so that one record does not
/// delay the others.
const MAX_ATTEMPTS: u32 = 3;

/// The rate limiter of the calls: hands out turns one after the other to all callers.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    interval: Duration,
    next: Mutex<Instant>,
}

impl RateLimiter {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, next: Mutex::new(Instant::now()) }
    }

    /// Waits for the caller's turn.
    async fn wait_turn(&self) {
        if self.interval.is_zero() {
            return;
        }
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(Instant::now());
            *next = at + self.interval;
            at
        };
        sleep_until(at).await;
    }
}

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The product of the call's records.
    pub(crate) product: ProductCode,
    /// The number of records that AWS has booked.
    pub(crate) booked: usize,
    /// Set if AWS has judged records one by one: then nothing blocks their product and dimensions.
    pub(crate) is_judged: bool,
    /// The rejection and the records if AWS refused the call as a whole. The records can be sent again.
    pub(crate) rejected: Option<(Rejection, Vec<HourlyRecord>)>,
}

/// Makes one call with records of one product.
pub(crate) async fn attempt(
    run: &Run<'_>,
    rate_limiter: &RateLimiter,
    product: ProductCode,
    call: Vec<HourlyRecord>,
) -> Result<Answered, StoreError> {
    let mut answered = Answered { product, booked: 0, is_judged: false, rejected: None };
    let Some(call) = claim(run, call).await? else { return Ok(answered) };
    rate_limiter.wait_turn().await;
    let answer = run.marketplace.batch_meter_usage(&call).await;
    run.count(Metric::MeteringCalls, 1);
    run.count_sent(call.len());
    match answer {
        Answer::Records(statuses) => {
            let mut changes = Vec::new();
            for record in call {
                let status = statuses.iter().find(|(name, _)| *name == record.name).map(|(_, status)| status);
                let outcome = match status {
                    Some(status @ Status::NotSubscribed) => {
                        read_status(&record, status, is_open(run, &record).await.unwrap_or(true))
                    }
                    Some(status) => read_status(&record, status, true),
                    None => Outcome::Retry { unanswered: true },
                };
                answered.is_judged |= status.is_some_and(|status| *status != Status::Unprocessed);
                let change = with_outcome(run, record, outcome);
                answered.booked += usize::from(matches!(change.1.state, RecordState::Accepted { .. }));
                changes.push(change);
            }
            note_foreign_bookings(run, &answered.product, changes.iter().map(|(_, after)| after)).await;
            run.store.settle(&changes).await?;
        }
        Answer::NotBooked(code) => {
            run.count(Metric::MeteringThrottles, 1);
            retry(run, &answered.product, call, false, &code).await?;
        }
        Answer::NotKnown(code) if call.len() > 1 && call.iter().any(|record| record.attempts > MAX_ATTEMPTS) => {
            answered.rejected = Some((Rejection::Data(code), release(run, call).await?));
        }
        Answer::NotKnown(code) => {
            run.count(Metric::MeteringFailures, 1);
            retry(run, &answered.product, call, false, &code).await?;
        }
        Answer::Nothing => {
            run.count(Metric::MeteringFailures, 1);
            retry(run, &answered.product, call, true, "no_answer").await?;
        }
        Answer::Rejected(rejection) => {
            run.count(Metric::MeteringFailures, 1);
            answered.rejected = Some((rejection, release(run, call).await?));
        }
    }
    Ok(answered)
}

/// Records that something else has booked records of a product, and reports each acceptance that may be of such a
/// booking as a problem. A failure of the table is logged and stops nothing.
async fn note_foreign_bookings(run: &Run<'_>, product: &ProductCode, records: impl Iterator<Item = &HourlyRecord>) {
    let (mut in_conflict, mut unverified) = (Vec::new(), Vec::new());
    for record in records {
        match &record.state {
            RecordState::Conflict => in_conflict.push(record),
            RecordState::Accepted { by: AcceptedBy::Duplicate, .. } => unverified.push(record),
            _ => {}
        }
    }
    let noted = async {
        for record in in_conflict {
            run.store.note_foreign_booking(record).await?;
        }
        Ok::<_, StoreError>(!unverified.is_empty() && run.store.has_foreign_booking(product).await?)
    };
    match noted.await {
        Ok(true) => {
            for record in unverified {
                run.problem(Metric::RecordsConflict, &record.name, "AWS may have a booking of it from another program");
            }
        }
        Ok(false) => {}
        Err(error) => tracing::warn!(run = run.id, error = chain(&error), "Failed to note a foreign booking"),
    }
}

/// Returns a record before and after its outcome, and counts the outcome.
pub(crate) fn with_outcome(run: &Run<'_>, record: HourlyRecord, outcome: Outcome) -> (HourlyRecord, HourlyRecord) {
    let now = run.store.clock().now();
    let after = match outcome {
        Outcome::Final(state) => {
            count(run, &record, &state);
            record.with_state_at(state, now)
        }
        Outcome::Retry { unanswered } => {
            run.count(Metric::RecordsRetried, 1);
            HourlyRecord {
                unanswered: record.unanswered || unanswered,
                not_before: next_attempt(&record, now),
                ..record.with_state_at(RecordState::Sealed, now)
            }
        }
    };
    (record, after)
}

/// Counts the state that a record has reached, and writes the log line by which an operator follows the record.
pub(crate) fn count(run: &Run<'_>, record: &HourlyRecord, state: &RecordState) {
    let metric = match state {
        RecordState::Accepted { by, .. } => {
            if *by == AcceptedBy::Duplicate {
                run.count(Metric::RecordsConfirmedLater, 1);
            }
            Metric::RecordsAccepted
        }
        RecordState::Conflict => return run.problem(Metric::RecordsConflict, &record.name, "AWS has another quantity"),
        RecordState::Refused { reason } => return run.problem(Metric::RecordsRefused, &record.name, reason),
        RecordState::Unconfirmed { reason } => return run.problem(Metric::RecordsUnconfirmed, &record.name, reason),
        RecordState::Expired => return run.problem(Metric::RecordsExpired, &record.name, "its window closed"),
        RecordState::DryRun => Metric::RecordsDryRun,
        RecordState::Held { .. } | RecordState::Sealed | RecordState::Claimed { .. } | RecordState::Folded { .. } => {
            return;
        }
    };
    run.count(metric, 1);
    let (run, state, name) = (run.id.as_str(), state.name(), &record.name);
    let (license, hour, dimension) = (&name.license, &name.hour, &name.dimension);
    tracing::info!(run, %license, %hour, %dimension, quantity = %record.quantity, attempts = record.attempts, state, "Finished a record");
}

/// Claims the records of a call. If one of them was changed since it was read, reads each again, and claims those that
/// can be claimed. `None` if no record was claimed.
async fn claim(run: &Run<'_>, call: Vec<HourlyRecord>) -> Result<Option<Vec<HourlyRecord>>, StoreError> {
    let (store, id, now) = (run.store, run.id.as_str(), run.store.clock().now());
    if let Some(claimed) = store.claim(&call, id, now).await? {
        return Ok(Some(claimed));
    }
    let mut current = Vec::new();
    for record in &call {
        let record = store.record(&record.name).await?;
        current.extend(record.filter(|record| match &record.state {
            RecordState::Sealed => record.not_before <= now,
            RecordState::Claimed { run, .. } => run == id || record.not_before <= now,
            RecordState::Held { .. }
            | RecordState::Accepted { .. }
            | RecordState::Conflict
            | RecordState::Refused { .. }
            | RecordState::Expired
            | RecordState::Unconfirmed { .. }
            | RecordState::Folded { .. }
            | RecordState::DryRun => false,
        }));
    }
    if current.is_empty() { Ok(None) } else { store.claim(&current, id, now).await }
}

/// Returns `true` if AWS may still accept usage of a record's license.
async fn is_open(run: &Run<'_>, record: &HourlyRecord) -> Result<bool, StoreError> {
    let Some(license) = run.store.license(&record.name.license).await? else { return Ok(false) };
    Ok(match license.state_at(run.now) {
        State::Pending | State::Failed | State::Active => true,
        State::Ending { usage_until } => run.now.duration_since(usage_until) < FINAL_REPORTING_PERIOD,
        State::Ended { .. } => false,
    })
}

/// Schedules the same records to be sent again later.
pub(crate) async fn retry(
    run: &Run<'_>,
    product: &ProductCode,
    call: Vec<HourlyRecord>,
    unanswered: bool,
    code: &str,
) -> Result<(), StoreError> {
    tracing::warn!(run = run.id, %product, records = call.len(), code, unanswered, "Scheduled records to be sent again");
    let outcome = || Outcome::Retry { unanswered };
    let changes: Vec<_> = call.into_iter().map(|record| with_outcome(run, record, outcome())).collect();
    run.store.settle(&changes).await
}

/// Releases the claim of records that AWS has certainly not booked: they can be sent again immediately.
async fn release(run: &Run<'_>, call: Vec<HourlyRecord>) -> Result<Vec<HourlyRecord>, StoreError> {
    let now = run.store.clock().now();
    let free =
        |record: &HourlyRecord| HourlyRecord { not_before: now, ..record.with_state_at(RecordState::Sealed, now) };
    let changes: Vec<_> = call.into_iter().map(|record| (record.clone(), free(&record))).collect();
    run.store.settle(&changes).await?;
    Ok(changes.into_iter().map(|(_, after)| after).collect())
}
