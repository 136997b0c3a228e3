//! Licenses that are over: once every intake has seen that, all that is left of their usage is summed at once, and
//! sent while AWS's 60 minutes run; then they are closed.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use stallkeeper::license::{FINAL_REPORTING, License, State};
use stallkeeper::store::StoreError;
use stallkeeper::time::UsageHour;

use crate::Run;
use crate::close::zero_dimensions;
use crate::hour::settle;

/// How far back an ending license's hours are looked at: as far as AWS takes usage, and the hour it began in.
const LOOK_BACK: usize = 25;

/// When an ending license is looked at again.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// Sums what is left of the licenses whose flush is due.
pub(crate) async fn flush_ending_licenses(run: &mut Run<'_>) -> Result<(), StoreError> {
    for id in run.store.licenses_to_flush(run.now).await? {
        if run.is_over() {
            return Ok(());
        }
        let Some(license) = run.store.license(&id).await? else { continue };
        let is_due = license.flush_at.is_some_and(|at| at <= run.now);
        let Some(until) = license.usage_until().filter(|_| is_due) else { continue };
        flush(run, &license, UsageHour::of(until)).await?;
        let now = run.now;
        let closes = until.checked_add(FINAL_REPORTING).unwrap_or(now);
        let again = closes.min(now.checked_add(AGAIN).unwrap_or(closes));
        run.store
            .change_license(&id, |license| {
                let mut license = license.filter(|license| license.flush_at.is_some())?;
                let is_closed = matches!(license.state_at(now), State::Ended { .. });
                license.flush_at = Some(again).filter(|_| !is_closed);
                Some(license.into())
            })
            .await?;
    }
    Ok(())
}

/// Sums every hour of a license that holds something no record has: first what lies after its end, then what came late,
/// and the last hour at the end, which takes those in.
async fn flush(run: &mut Run<'_>, license: &License, last: UsageHour) -> Result<(), StoreError> {
    let newest = UsageHour::of(run.now).max(last);
    let mut hours = BTreeSet::new();
    for hour in std::iter::successors(Some(newest), |hour| Some(hour.previous())).take(LOOK_BACK) {
        let has_usage = run.store.has_usage(&license.id, hour).await? || run.store.is_dirty(&license.id, hour).await?;
        if has_usage || hour == last.previous() {
            hours.insert(hour);
        }
    }
    hours.remove(&last);
    for hour in hours.iter().rev().chain(std::iter::once(&last)) {
        let zeros = if *hour <= last { zero_dimensions(run, license, *hour).await? } else { Vec::new() };
        settle(run, license, *hour, &zeros).await?;
    }
    Ok(())
}
