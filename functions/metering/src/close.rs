//! Closing: the hours that are over are summed, and later swept once more; hours with late usage are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use stallkeeper::ids::{DimensionKey, LicenseId};
use stallkeeper::license::{License, StateName};
use stallkeeper::store::keys::{SHARDS, shard as shard_of};
use stallkeeper::store::{Progress, StoreError};
use stallkeeper::time::UsageHour;

use crate::Run;
use crate::hour::{Settled, settle};

/// How far back hours are looked for in the first run. AWS takes what is a day old; what is older is frozen all the same, and expires by
/// name.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

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
    let mut all_swept = true;
    let mut through = closed;
    for hour in hours {
        if run.is_over() {
            break;
        }
        let progress = if now >= hour.summed_from() { close(run, hour).await? } else { Progress::Open };
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
async fn close(run: &mut Run<'_>, hour: UsageHour) -> Result<Progress, StoreError> {
    let before = run.store.progress(hour).await?;
    let sweeps = run.now >= hour.swept_from();
    match before {
        Progress::Open => {
            let active = metered_licenses(run, hour).await?;
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

/// Settles a license's hour; where something is left, that is noted, and looked at in every run from then on.
async fn settle_or_note(
    run: &mut Run<'_>,
    id: &LicenseId,
    hour: UsageHour,
    zeros: &[DimensionKey],
) -> Result<(), StoreError> {
    let Some(license) = run.store.license(id).await? else { return Ok(()) };
    if license.flush_at.is_some() {
        // It is over, and its hours are summed together once every intake has seen that.
        return Ok(());
    }
    if settle(run, &license, hour, zeros).await? == Settled::Wait && !run.store.is_dirty(id, hour).await? {
        run.store.mark_dirty(id, hour).await?;
    }
    Ok(())
}

/// The licenses that were in force in an hour, with the dimensions that get a record of 0 if they were not used
/// (AWS's recommendation: a record every hour).
async fn metered_licenses(
    run: &Run<'_>,
    hour: UsageHour,
) -> Result<BTreeMap<LicenseId, Vec<DimensionKey>>, StoreError> {
    let mut metered = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = run.store.licenses_in_state(StateName::Active, cursor.as_deref(), 1000).await?;
        for license in page.licenses {
            let zeros = zero_dimensions(run, &license, hour).await?;
            if !zeros.is_empty() {
                metered.insert(license.id, zeros);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(metered);
        }
    }
}

/// The dimensions of a license that get a record of 0 for an hour without usage: the metered ones, if it was in force.
pub(crate) async fn zero_dimensions(
    run: &Run<'_>,
    license: &License,
    hour: UsageHour,
) -> Result<Vec<DimensionKey>, StoreError> {
    if license.active_since().is_none_or(|since| since >= hour.end()) {
        return Ok(Vec::new());
    }
    let listing = run.store.listing(&license.product).await?;
    let dimensions = listing.into_iter().filter(|listing| listing.zero_records).flat_map(|listing| listing.dimensions);
    Ok(dimensions.filter(|dimension| dimension.is_metered()).map(|dimension| dimension.key).collect())
}

/// Looks again at the hours that got late usage, or had something left. An hour that is not summed yet is left to
/// its time.
pub(crate) async fn look_at_late_hours(run: &mut Run<'_>) -> Result<(), StoreError> {
    for shard in 0..SHARDS {
        for dirty in run.store.dirty_hours(shard).await? {
            if run.is_over() {
                return Ok(());
            }
            let Some(license) = run.store.license(&dirty.license).await? else { continue };
            if run.now < dirty.hour.summed_from() || license.flush_at.is_some() {
                continue;
            }
            let settled = settle(run, &license, dirty.hour, &[]).await?;
            if settled == Settled::Done && run.now.duration_since(dirty.since) >= WRITTEN_BY_NOW {
                run.store.clear_dirty(&dirty).await?;
            }
        }
    }
    Ok(())
}
