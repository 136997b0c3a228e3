//! Flushes ended licenses: once every instance of intake has observed the ending, immediately sums all usage that is
//! left, so that it is sent within the 60 minutes that AWS allows; then closes the license.

use crate::close::zero_dimensions;
use crate::hour::{may_wait, settle};
use crate::run::{Run, run_concurrently};
use crate::settled::Settled;
use domain::errors::chain;
use domain::ids::LicenseId;
use domain::license::{License, State};
use domain::metering::{ACCEPTANCE_WINDOW, FINAL_RETRY_INTERVAL, FINAL_RETRY_PERIOD, HourlyRecord, RecordState};
use domain::time::UsageHour;
use futures_util::FutureExt;
use jiff::SignedDuration;
use lambda::metrics::Metric;
use store::StoreError;

/// The number of hours of an ending license that are checked: as many as AWS accepts usage of, and the hour in which
/// the license ended.
const CHECKED_HOURS: usize = 27;

/// The time after its end at which what is left of a license's usage is given up: AWS accepts none of it by then.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(25);

/// The time after which an ending license is checked again.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// The most licenses that are flushed at the same time.
const MAX_CONCURRENT_LICENSES: usize = 8;

/// Sums what is left of the licenses whose flush is due. A failed license does not delay the others.
pub(crate) async fn flush_ending_licenses(run: &Run<'_>) -> Result<(), StoreError> {
    let due = run.store.licenses_to_flush(run.now).await?;
    run_concurrently(MAX_CONCURRENT_LICENSES, due.iter().map(|id| try_flush(run, id).boxed()).collect()).await;
    Ok(())
}

async fn try_flush(run: &Run<'_>, license: &LicenseId) {
    if let Err(error) = flush_if_due(run, license).await {
        run.count(Metric::HoursNotSettled, 1);
        tracing::error!(run = run.id, %license, error = chain(&error), "Failed to flush an ended license; the next run retries");
    }
}

async fn flush_if_due(run: &Run<'_>, id: &LicenseId) -> Result<(), StoreError> {
    let Some(license) = run.store.license(id).await?.filter(|_| !run.closing_deadline_passed()) else { return Ok(()) };
    let is_due = license.flush_at.is_some_and(|at| at <= run.now);
    let ends = license.usage_until().zip(license.final_hour_ends());
    let Some((until, closes)) = ends.filter(|_| is_due) else { return Ok(()) };
    let settled = flush(run, &license, UsageHour::of(until)).await?;
    let now = run.now;
    let is_closing = now < closes && closes.duration_since(now) <= FINAL_RETRY_PERIOD;
    let gives_up = until.checked_add(GIVE_UP_AFTER).unwrap_or(now);
    let again = now.checked_add(if is_closing { FINAL_RETRY_INTERVAL } else { CHECK_INTERVAL }).unwrap_or(now);
    let change = |row: Option<License>| {
        // A license that was in force again meanwhile has a different flush time, or none.
        let mut row = row.filter(|row| row.flush_at == license.flush_at)?;
        let is_closed = matches!(row.state_at(now), State::Ended { .. });
        row.flush_at = match settled {
            Settled::Incomplete if now < gives_up => Some(again),
            Settled::Done | Settled::Incomplete => Some(closes.max(again)).filter(|_| !is_closed),
        };
        Some(row.into())
    };
    let row = run.store.change_license(id, change).await?;
    let is_closed = |row: &License| row.flush_at.is_none() && matches!(row.state, State::Ended { .. });
    if let Some(row) = row.filter(|row| settled == Settled::Done && is_closed(row)) {
        run.closed(row);
    }
    Ok(())
}

/// Returns `true` if there is time for another check before AWS accepts no more usage of an ended license.
fn is_early(run: &Run<'_>, license: &License) -> bool {
    license.final_hour_ends().is_some_and(|closes| closes.duration_since(run.now) > 3 * CHECK_INTERVAL)
}

/// Settles every hour of a license that holds usage which is in no record: first the hours after its end, then the
/// hours with late usage, oldest first, and finally its last hour, which bills the usage carried from the others.
async fn flush(run: &Run<'_>, license: &License, last: UsageHour) -> Result<Settled, StoreError> {
    let newest = UsageHour::of(run.now).max(last);
    let (mut after, mut before) = (Vec::new(), Vec::new());
    let hours: Vec<UsageHour> =
        std::iter::successors(Some(newest), |hour| Some(hour.previous())).take(CHECKED_HOURS).collect();
    let to_settle = run.store.hours_to_settle(&license.id, &hours).await?;
    for hour in hours {
        let has_usage = to_settle.contains(&hour);
        if hour > last && has_usage {
            after.push(hour);
        } else if hour < last && (has_usage || hour == last.previous()) {
            before.push(hour);
        }
    }
    let mut all = Settled::Done;
    for hour in after.into_iter().chain(before.into_iter().rev()).chain([last]) {
        let takes_in_others = hour == last || hour.closes_month();
        if all == Settled::Incomplete && takes_in_others && may_wait(run, hour) && is_early(run, license) {
            // Usage that is left in earlier hours may have to be carried into this one.
            continue;
        }
        let zeros = if hour <= last { zero_dimensions(run, license, hour).await? } else { Vec::new() };
        if settle(run, license, hour, &zeros).await? == Settled::Incomplete {
            all = Settled::Incomplete;
        }
    }
    mark_urgent(run, license, newest).await?;
    Ok(all)
}

/// Makes the records that were frozen before the license ended urgent and due immediately.
async fn mark_urgent(run: &Run<'_>, license: &License, newest: UsageHour) -> Result<(), StoreError> {
    let oldest = UsageHour::of(newest.start().checked_sub(ACCEPTANCE_WINDOW).unwrap_or(newest.start()));
    let records = run.store.records_between(&license.id, (oldest, newest), None, 1000).await?.records;
    let waiting = records.into_iter().filter(|record| record.state == RecordState::Sealed && !record.urgent);
    let changes: Vec<_> = waiting
        .map(|record| {
            let final_until = license.final_hour_ends();
            let urgent = HourlyRecord { urgent: true, final_until, not_before: run.now, ..record.clone() };
            (record, urgent)
        })
        .collect();
    run.store.settle(&changes).await
}
