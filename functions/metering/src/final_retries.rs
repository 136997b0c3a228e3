//! The last ten minutes before AWS refuses a record: while one has to be sent or made in them, each run is followed by
//! another immediately.

use crate::run::Run;
use domain::license::License;
use domain::metering::{FINAL_RETRY_INTERVAL, FINAL_RETRY_PERIOD};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use store::StoreError;
use store::keys::SHARDS;

/// The time before a last chance ends at which the last call starts: it takes 20 seconds at most, and its answer must
/// come in time.
const LAST_CALL_BEFORE_DEADLINE: SignedDuration = SignedDuration::from_secs(25);

/// The longest time from one run to the next while something has its last chance: another record may join it.
const MAX_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// Returns the time of the run that must follow this one because something has its last chance; `None` if nothing has.
pub(crate) async fn next_run(run: &Run<'_>) -> Result<Option<Timestamp>, StoreError> {
    let now = run.store.clock().now();
    let waiting = try_join_all((0..SHARDS).map(|shard| run.store.urgent_records(shard))).await?;
    let records = waiting.iter().flatten().map(|record| (record.not_before, record.final_deadline(now)));
    let flushes = flushes(run, now).await?;
    let due = records.chain(flushes).filter_map(|(wanted, ends)| next_final_attempt(wanted, ends, now));
    Ok(due.min())
}

/// Reads the licenses that must be flushed before their final hour ends: the time of the flush, and the end of that
/// hour.
async fn flushes(run: &Run<'_>, now: Timestamp) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
    let soon = now.checked_add(FINAL_RETRY_PERIOD).unwrap_or(now);
    let due = run.store.licenses_to_flush(soon).await?;
    let licenses = run.store.licenses(&due).await?;
    Ok(licenses.iter().filter_map(|license: &License| Some((license.flush_at?, license.final_hour_ends()?))).collect())
}

/// Returns the time of the next attempt at something that is due at `wanted`; `None` unless its last chance ends within
/// ten minutes and it is due by the last call.
fn next_final_attempt(wanted: Timestamp, ends: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let last_call = ends.checked_sub(LAST_CALL_BEFORE_DEADLINE).ok().filter(|last| *last > now && *last >= wanted)?;
    let is_near = ends.duration_since(now) <= FINAL_RETRY_PERIOD;
    let next = wanted.max(now.checked_add(FINAL_RETRY_INTERVAL).ok()?).min(last_call);
    is_near.then(|| next.min(now.checked_add(MAX_PAUSE).unwrap_or(next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiring_record_is_tried_until_the_last_call() {
        let at = |text: &str| format!("2026-12-01T{text}Z").parse::<Timestamp>().unwrap();
        let next = |wanted: &str, now: &str| next_final_attempt(at(wanted), at("06:00:00"), at(now));
        assert_eq!(next("05:48:00", "05:49:59"), None, "more than ten minutes are left");
        assert_eq!(next("05:50:00", "05:50:00"), Some(at("05:50:30")));
        assert_eq!(next("05:57:00", "05:50:00"), Some(at("05:51:00")), "no minute passes without a look");
        assert_eq!(next("05:59:20", "05:59:10"), Some(at("05:59:35")), "the last call");
        assert_eq!(next("05:59:35", "05:59:35"), None);
        assert_eq!(next("06:00:00", "05:59:00"), None, "it is wanted too late");
    }
}
