//! Closing: the hours that are over are summed, and later swept once more; hours with late usage are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use jiff::SignedDuration;
use stallkeeper::aws::chain;
use stallkeeper::ids::{DimensionKey, LicenseId};
use stallkeeper::license::{License, StateName};
use stallkeeper::store::keys::{SHARDS, shard as shard_of};
use stallkeeper::store::{Progress, StoreError};
use stallkeeper::time::UsageHour;

use crate::Run;
use crate::hour::{Settled, settle};

/// How far back hours are looked for in the first run: as far as AWS takes usage, and a margin.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(26);

/// How old a note of late usage is when every write that it announced is over (a function's 30 seconds, and margin).
const WRITTEN_BY_NOW: SignedDuration = SignedDuration::from_mins(2);

/// Sums and sweeps the hours that are due, oldest first.
///
/// The last hour of a month waits for its time while the hours after it go on.
pub(crate) async fn close_hours(run: &mut Run<'_>) -> Result<(), StoreError> {
    let now = run.now;
    let newest = UsageHour::of(now);
    let closed = run.store.closed_through().await?;
    let far_back = UsageHour::of(now.checked_sub(LOOK_BACK).unwrap_or(now));
    let oldest = closed.map_or(far_back, UsageHour::next);
    let hours = std::iter::successors(Some(oldest), |hour| Some(hour.next())).take_while(|hour| *hour < newest);
    let mut active = None;
    let mut all_swept = true;
    let mut through = closed;
    for hour in hours {
        if run.must_send() {
            break;
        }
        let progress = if now >= hour.summed_from() { close(run, hour, &mut active).await? } else { Progress::Open };
        all_swept &= progress == Progress::Swept;
        if all_swept {
            through = Some(hour);
        }
    }
    match through {
        Some(hour) if through != closed => run.store.set_closed_through(hour).await,
        _ => Ok(()),
    }
}

/// Sums an hour, or sweeps one that is summed, if its time has come. Answers how far it is then.
///
/// `active` are the licenses in force, once they were needed in this run.
async fn close(run: &mut Run<'_>, hour: UsageHour, active: &mut Option<Vec<License>>) -> Result<Progress, StoreError> {
    let before = run.store.progress(hour).await?;
    let sweeps = run.now >= hour.swept_from();
    match before {
        Progress::Open => {
            let active = match active {
                Some(active) => active,
                none => none.insert(licenses_in_force(run).await?),
            };
            let active = metered_licenses(run, hour, active).await?;
            for shard in 0..SHARDS {
                sum_shard(run, hour, shard, &active).await?;
            }
        }
        Progress::Summed if sweeps => {
            for shard in 0..SHARDS {
                sweep_shard(run, hour, shard).await?;
            }
        }
        Progress::Summed | Progress::Swept => return Ok(before),
    }
    if run.must_send() {
        // It was left before its end; the next run goes through it again.
        return Ok(before);
    }
    // What is summed so late needs no sweep: whatever came late to it has left a note.
    let after = if sweeps { Progress::Swept } else { Progress::Summed };
    run.store.set_progress(hour, after).await?;
    Ok(after)
}

/// Freezes the records of every license of a shard that has usage in the hour, or was in force in it.
async fn sum_shard(
    run: &mut Run<'_>,
    hour: UsageHour,
    shard: u8,
    active: &BTreeMap<LicenseId, Vec<DimensionKey>>,
) -> Result<(), StoreError> {
    let mut licenses: BTreeSet<LicenseId> = run.store.licenses_with_usage(hour, shard).await?.into_iter().collect();
    licenses.extend(active.keys().filter(|license| shard_of(license) == shard).cloned());
    for id in licenses {
        let zeros = active.get(&id).map(Vec::as_slice).unwrap_or_default();
        settle_or_note(run, &id, hour, zeros).await?;
    }
    Ok(())
}

async fn sweep_shard(run: &mut Run<'_>, hour: UsageHour, shard: u8) -> Result<(), StoreError> {
    for id in run.store.licenses_with_usage(hour, shard).await? {
        settle_or_note(run, &id, hour, &[]).await?;
    }
    Ok(())
}

/// Settles a license's hour. Where that fails it is left for a later run: one license holds up no other.
async fn settle_alone(run: &mut Run<'_>, license: &License, hour: UsageHour, zeros: &[DimensionKey]) -> Settled {
    settle(run, license, hour, zeros).await.unwrap_or_else(|error| {
        let (license, error) = (&license.id, chain(&error));
        tracing::error!(%license, %hour, error, counter = "hour_not_settled", "it is looked at again");
        Settled::Wait
    })
}

/// Settles a license's hour; where something is left, that is noted, and looked at in every run from then on.
async fn settle_or_note(
    run: &mut Run<'_>,
    id: &LicenseId,
    hour: UsageHour,
    zeros: &[DimensionKey],
) -> Result<(), StoreError> {
    if run.must_send() {
        return Ok(());
    }
    let Some(license) = run.store.license(id).await? else { return Ok(()) };
    // One that is over has its hours summed together, once every intake has seen that; the note is for the case that it
    // is in force again before.
    let is_left = license.flush_at.is_some() || settle_alone(run, &license, hour, zeros).await == Settled::Wait;
    if is_left && !run.store.is_dirty(id, hour).await? {
        run.store.mark_dirty(id, hour).await?;
    }
    Ok(())
}

/// The licenses in force, from the index by state.
async fn licenses_in_force(run: &Run<'_>) -> Result<Vec<License>, StoreError> {
    let mut active = Vec::new();
    let mut cursor = None;
    loop {
        let page = run.store.licenses_in_state(StateName::Active, cursor.as_deref(), 1000).await?;
        active.extend(page.licenses);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(active);
        }
    }
}

/// Of the licenses in force, those that were it in an hour, with the dimensions that get a record of 0 if they were not
/// used (AWS's recommendation: a record every hour).
async fn metered_licenses(
    run: &Run<'_>,
    hour: UsageHour,
    active: &[License],
) -> Result<BTreeMap<LicenseId, Vec<DimensionKey>>, StoreError> {
    let mut metered = BTreeMap::new();
    for license in active {
        let zeros = zero_dimensions(run, license, hour).await?;
        if !zeros.is_empty() {
            metered.insert(license.id.clone(), zeros);
        }
    }
    Ok(metered)
}

/// The dimensions of a license that get a record of 0 for an hour without usage: the metered ones, if it was in force.
pub(crate) async fn zero_dimensions(
    run: &Run<'_>,
    license: &License,
    hour: UsageHour,
) -> Result<Vec<DimensionKey>, StoreError> {
    if license.news.first_active.is_none_or(|since| since >= hour.end()) {
        return Ok(Vec::new());
    }
    let listing = run.store.listing(&license.product).await?;
    let dimensions = listing.into_iter().filter(|listing| listing.zero_records).flat_map(|listing| listing.dimensions);
    Ok(dimensions.filter(|dimension| dimension.is_metered()).map(|dimension| dimension.key).collect())
}

/// Looks again at the hours that got late usage, or had something left. An hour that is not summed yet is left to
/// its time.
pub(crate) async fn look_at_late_hours(run: &mut Run<'_>) -> Result<(), StoreError> {
    let store = run.store;
    for dirty in try_join_all((0..SHARDS).map(|shard| store.dirty_hours(shard))).await?.into_iter().flatten() {
        if run.is_over() {
            return Ok(());
        }
        let Some(license) = store.license(&dirty.license).await? else { continue };
        if run.now < dirty.hour.summed_from() || license.flush_at.is_some() {
            continue;
        }
        let settled = settle_alone(run, &license, dirty.hour, &[]).await;
        if settled == Settled::Done && run.now.duration_since(dirty.since) >= WRITTEN_BY_NOW {
            store.clear_dirty(&dirty).await?;
        }
    }
    Ok(())
}
