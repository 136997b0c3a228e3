//! Closes hours: sums the hours that have ended, sweeps them once more later, and settles hours with late usage again.
//!
//! An hour is walked page by page, a few licenses at a time, and the table keeps the position of the walk: a run that
//! has no more time leaves it there, and the next run continues. The memory holds one page, regardless of the hour's
//! size.

use crate::hour::{freeze, may_wait, new_records, settle, sums_of_hour, with_zeros};
use crate::run::{Run, run_concurrently};
use crate::settled::Settled;
use domain::errors::chain;
use domain::ids::{DimensionKey, LicenseId};
use domain::ledger::HourSum;
use domain::license::{License, StateName};
use domain::metering::{HourlyRecord, MAX_BATCH_RECORDS, window_closes_of};
use domain::time::UsageHour;
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use lambda::metrics::Metric;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use store::keys::SHARDS;
use store::{Closing, Dirty, Position, Progress, StoreError, Walk};

/// The time before the first run whose hours are closed as well: as long as AWS accepts usage, and a margin.
const FIRST_RUN_PERIOD: SignedDuration = SignedDuration::from_hours(26);

/// The age of a note of late usage at which every write that it announced has ended (a function's 30 seconds, and a
/// margin).
const WRITE_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

/// The most licenses of an hour that are read together.
const PAGE_SIZE: i32 = 500;

/// The most licenses that are settled at the same time.
const MAX_CONCURRENT_LICENSES: usize = 24;

/// Sums and sweeps the hours that are due, oldest first.
///
/// The last hour of a month waits for its time while the hours after it continue. `unsettled` are the licenses with
/// late hours that this run could not settle: their usage may still have to be carried into a month's last hour, so
/// that hour is not summed for them yet.
pub(crate) async fn close_hours(run: &Run<'_>, unsettled: &BTreeSet<LicenseId>) -> Result<(), StoreError> {
    let now = run.now;
    let newest = UsageHour::of(now);
    let closed = run.store.closed_through().await?;
    let far_back = UsageHour::of(now.checked_sub(FIRST_RUN_PERIOD).unwrap_or(now));
    if closed.is_none() {
        // Later runs do not check the hours before the first run's either.
        run.store.set_closed_through(far_back.previous()).await?;
    }
    let oldest = closed.map_or(far_back, UsageHour::next);
    let hours = std::iter::successors(Some(oldest), |hour| Some(hour.next())).take_while(|hour| *hour < newest);
    let mut all_swept = true;
    let mut through = closed;
    for hour in hours {
        let is_due = now >= hour.summed_from();
        if is_due && run.closing_deadline_passed() {
            measure_closing_delay(run, hour);
            break;
        }
        let progress = if is_due { Walking { run, hour, unsettled }.close().await? } else { Progress::Open };
        if is_due && progress == Progress::Open {
            measure_closing_delay(run, hour);
            break;
        }
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

/// Measures how long an hour has been due for which there was no time.
fn measure_closing_delay(run: &Run<'_>, hour: UsageHour) {
    let behind = run.now.duration_since(hour.summed_from()).as_secs();
    run.measure(Metric::ClosingDelay, u64::try_from(behind).unwrap_or_default());
}

/// The walk through one hour.
struct Walking<'r, 'a> {
    run: &'r Run<'a>,
    hour: UsageHour,
    unsettled: &'r BTreeSet<LicenseId>,
}

impl Walking<'_, '_> {
    /// Sums the hour, or sweeps it if it is summed and its sweep is due. Returns its progress afterwards.
    async fn close(&self) -> Result<Progress, StoreError> {
        let (run, hour) = (self.run, self.hour);
        let mut closing = run.store.closing(hour).await?;
        let sweeps = run.now >= hour.swept_from();
        let done = match closing.progress {
            Progress::Open => self.sum(&mut closing).await?,
            Progress::Summed if sweeps => self.sweep(&mut closing).await?,
            Progress::Summed | Progress::Swept => return Ok(closing.progress),
        };
        if !done {
            return Ok(closing.progress);
        }
        // An hour that is summed this late needs no sweep: all usage that came late to it has left a note.
        let progress = if sweeps { Progress::Swept } else { Progress::Summed };
        run.store.set_closing(hour, &Closing { progress, at: None }).await?;
        Ok(progress)
    }

    /// Freezes the records of every license that has usage in the hour, then the records of 0 of the licenses that were
    /// in force without usage. Returns `true` if there was time for all of them.
    async fn sum(&self, closing: &mut Closing) -> Result<bool, StoreError> {
        let first = Position { walk: Walk::Used(0), after: None };
        let mut place = closing.at.clone().unwrap_or(first);
        loop {
            if self.run.closing_deadline_passed() {
                return Ok(false);
            }
            let next = match place.walk {
                Walk::Used(shard) => {
                    let (licenses, after) = self.used(shard, place.after.as_deref()).await?;
                    self.sum_page(&licenses).await?;
                    Some(after_shard(shard, after).unwrap_or(Position { walk: Walk::InForce, after: None }))
                }
                Walk::InForce => self.sum_in_force(place.after).await?,
            };
            let Some(next) = next else { return Ok(true) };
            place = next;
            self.save_position(closing, &place).await?;
        }
    }

    /// Settles every license that has usage in the hour once more. Returns `true` if there was time for all of them.
    async fn sweep(&self, closing: &mut Closing) -> Result<bool, StoreError> {
        let first = Position { walk: Walk::Used(0), after: None };
        let mut place = Some(closing.at.clone().unwrap_or(first));
        while let Some(Position { walk: Walk::Used(shard), after }) = &place {
            if self.run.closing_deadline_passed() {
                return Ok(false);
            }
            let (licenses, next) = self.used(*shard, after.as_deref()).await?;
            let licenses = self.run.store.licenses(&licenses).await?;
            self.settle_all(&licenses.iter().collect::<Vec<_>>()).await?;
            place = after_shard(*shard, next);
            if let Some(place) = &place {
                self.save_position(closing, place).await?;
            }
        }
        Ok(true)
    }

    async fn used(&self, shard: u8, after: Option<&str>) -> Result<(Vec<LicenseId>, Option<String>), StoreError> {
        self.run.store.licenses_with_usage(self.hour, shard, after, PAGE_SIZE).await
    }

    /// Stores the position of the walk, unless it is the start of a shard, which is not worth a write.
    async fn save_position(&self, closing: &mut Closing, place: &Position) -> Result<(), StoreError> {
        closing.at = Some(place.clone());
        if place.after.is_none() {
            return Ok(());
        }
        self.run.store.set_closing(self.hour, closing).await
    }

    /// Freezes the records of a page of licenses with usage.
    async fn sum_page(&self, ids: &[LicenseId]) -> Result<(), StoreError> {
        let licenses = self.run.store.licenses(ids).await?;
        let known: HashSet<&LicenseId> = licenses.iter().map(|license| &license.id).collect();
        for missing in ids.iter().filter(|id| !known.contains(id)) {
            self.run.count(Metric::HoursNotSettled, 1);
            tracing::error!(run = self.run.id, license = %missing, hour = %self.hour, "Found usage of a license without a row");
        }
        let summing = licenses.iter().map(|license| self.sum_license(license).boxed()).collect();
        let mut records = Vec::new();
        for (license, new, settled) in run_concurrently(MAX_CONCURRENT_LICENSES, summing).await {
            records.extend(new);
            if settled == Settled::Incomplete {
                self.note(license).await?;
            }
        }
        let licenses = licenses.iter().map(|license| (&license.id, license)).collect();
        self.freeze_all(records, &licenses).await
    }

    /// Returns the records of a license that has usage in the hour, and [`Settled::Incomplete`] if something is left for
    /// later.
    async fn sum_license<'l>(&self, license: &'l License) -> (&'l LicenseId, Vec<HourlyRecord>, Settled) {
        if self.must_wait(license) {
            return (&license.id, Vec::new(), Settled::Incomplete);
        }
        let summed = async {
            let zeros = zero_dimensions(self.run, license, self.hour).await?;
            let sums = sums_of_hour(self.run, &license.id, self.hour).await?;
            new_records(self.run, license, self.hour, with_zeros(sums, &zeros)).await
        };
        let (records, settled) = summed.await.unwrap_or_else(|error| {
            log_unsettled(self.run, &license.id, self.hour, &error);
            (Vec::new(), Settled::Incomplete)
        });
        (&license.id, records, settled)
    }

    /// Returns `true` if a license's hour is not summed with the others: an ended license has its hours summed
    /// together, once every instance of intake has observed the ending; a license with late hours left must not close
    /// its month.
    fn must_wait(&self, license: &License) -> bool {
        let is_taken_in = self.hour.closes_month() && may_wait(self.run, self.hour);
        license.flush_at.is_some() || (is_taken_in && self.unsettled.contains(&license.id))
    }

    /// Freezes the records of 0 of a page of the licenses in force, for each of their metered dimensions, where they
    /// had no usage. Returns the start of the next page; `None` after the last.
    async fn sum_in_force(&self, after: Option<String>) -> Result<Option<Position>, StoreError> {
        let store = self.run.store;
        let (names, next) = store.names_in_state(StateName::Active, after.as_deref(), PAGE_SIZE).await?;
        let used = store.filter_with_usage(self.hour, &names).await?;
        let idle: Vec<LicenseId> = names.into_iter().filter(|name| !used.contains(name)).collect();
        let idle = store.licenses(&idle).await?;
        let mut records = Vec::new();
        let mut apart = Vec::new();
        for license in &idle {
            let zeros = zero_dimensions(self.run, license, self.hour).await?;
            if zeros.is_empty() {
                continue;
            }
            match zero_records(self.run, license, self.hour, &zeros).await? {
                Some(zeros) if !self.must_wait(license) => records.extend(zeros),
                Some(_) | None => apart.push(license),
            }
        }
        self.settle_all(&apart).await?;
        let licenses = idle.iter().map(|license| (&license.id, license)).collect();
        self.freeze_all(records, &licenses).await?;
        Ok(next.map(|next| Position { walk: Walk::InForce, after: Some(next) }))
    }

    /// Freezes new records, 25 of any licenses together. Licenses whose records exist already are settled by
    /// difference.
    async fn freeze_all(
        &self,
        records: Vec<HourlyRecord>,
        licenses: &BTreeMap<&LicenseId, &License>,
    ) -> Result<(), StoreError> {
        let chunks = records.chunks(MAX_BATCH_RECORDS).map(|chunk| freeze(self.run, chunk).boxed()).collect();
        let mut again = BTreeSet::new();
        for there in run_concurrently(MAX_CONCURRENT_LICENSES / 2, chunks).await {
            again.extend(there?.into_iter().map(|name| name.license));
        }
        let again: Vec<&License> = again.iter().filter_map(|id| licenses.get(id).copied()).collect();
        self.settle_all(&again).await
    }

    /// Settles the hour of licenses by what the table holds. If something is left, writes a note, so that every later
    /// run checks the hour again. A failed license does not delay the others.
    async fn settle_all(&self, licenses: &[&License]) -> Result<(), StoreError> {
        let settling = licenses.iter().map(|license| self.settle_or_mark(license).boxed()).collect();
        run_concurrently(MAX_CONCURRENT_LICENSES, settling).await.into_iter().collect()
    }

    async fn settle_or_mark(&self, license: &License) -> Result<(), StoreError> {
        if !self.must_wait(license) {
            let zeros = zero_dimensions(self.run, license, self.hour).await?;
            if try_settle(self.run, license, self.hour, &zeros).await == Settled::Done {
                return Ok(());
            }
        }
        self.note(&license.id).await
    }

    async fn note(&self, license: &LicenseId) -> Result<(), StoreError> {
        if self.run.store.is_dirty(license, self.hour).await? {
            return Ok(());
        }
        self.run.store.mark_dirty(license, self.hour).await
    }
}

/// Returns the position after a page of a shard: in the shard, or in the next one. `None` after the last shard.
fn after_shard(shard: u8, after: Option<String>) -> Option<Position> {
    match after {
        Some(after) => Some(Position { walk: Walk::Used(shard), after: Some(after) }),
        None => {
            Some(shard + 1).filter(|next| *next < SHARDS).map(|next| Position { walk: Walk::Used(next), after: None })
        }
    }
}

fn log_unsettled(run: &Run<'_>, license: &LicenseId, hour: UsageHour, error: &StoreError) {
    run.count(Metric::HoursNotSettled, 1);
    tracing::error!(run = run.id, %license, %hour, error = chain(error), "Failed to settle an hour of a license; the next run retries");
}

/// Settles a license's hour. A failure leaves the hour to a later run, and does not delay other licenses.
async fn try_settle(run: &Run<'_>, license: &License, hour: UsageHour, zeros: &[DimensionKey]) -> Settled {
    settle(run, license, hour, zeros).await.unwrap_or_else(|error| {
        log_unsettled(run, &license.id, hour, &error);
        Settled::Incomplete
    })
}

/// Returns the dimensions of a license that get a record of 0 for an hour without usage: the metered ones, if the
/// license was in force and its listing has `zero_records` set (AWS's recommendation: a record every hour).
pub(crate) async fn zero_dimensions(
    run: &Run<'_>,
    license: &License,
    hour: UsageHour,
) -> Result<Vec<DimensionKey>, StoreError> {
    if run.now >= window_closes_of(hour) || !is_metered_in(license, hour) {
        return Ok(Vec::new());
    }
    let listing = run.store.listing(&license.product).await?;
    let dimensions = listing.into_iter().filter(|listing| listing.zero_records).flat_map(|listing| listing.dimensions);
    Ok(dimensions.filter(|dimension| dimension.is_metered()).map(|dimension| dimension.key).collect())
}

/// Returns `true` if a license was in force in an hour, and is billed under its own key there.
fn is_metered_in(license: &License, hour: UsageHour) -> bool {
    license.metered_since().is_some_and(|since| since < hour.end()) && license.bills(hour)
}

/// Builds the records of 0 of a license that has no usage in the hour; `None` if they depend on more than that.
async fn zero_records(
    run: &Run<'_>,
    license: &License,
    hour: UsageHour,
    zeros: &[DimensionKey],
) -> Result<Option<Vec<HourlyRecord>>, StoreError> {
    let listing = run.store.listing(&license.product).await?;
    let has_overage = listing.is_some_and(|listing| listing.dimensions.iter().any(|one| one.overage_of.is_some()));
    if has_overage || license.flush_at.is_some() {
        return Ok(None);
    }
    let none = HourSum::default();
    Ok(Some(zeros.iter().map(|zero| HourlyRecord::freeze(license, hour, zero.clone(), &none, run.now)).collect()))
}

/// Settles the hours again that got late usage, or had something left: of each license the oldest first, since its
/// usage may be carried into a later one. An hour that is not summed yet is left to its closing, and an ended license
/// to its flush.
///
/// Returns the licenses of which something is still left.
pub(crate) async fn settle_late_hours(run: &Run<'_>) -> Result<BTreeSet<LicenseId>, StoreError> {
    let notes = try_join_all((0..SHARDS).map(|shard| run.store.dirty_hours(shard))).await?;
    let mut of_license: BTreeMap<LicenseId, Vec<Dirty>> = BTreeMap::new();
    for note in notes.into_iter().flatten().filter(|note| run.now >= note.hour.summed_from()) {
        of_license.entry(note.license.clone()).or_default().push(note);
    }
    let settling =
        of_license.into_iter().map(|(license, notes)| settle_late_hours_of(run, license, notes).boxed()).collect();
    let mut left = BTreeSet::new();
    for settled in run_concurrently(MAX_CONCURRENT_LICENSES, settling).await {
        left.extend(settled?);
    }
    Ok(left)
}

/// Settles a license's late hours, oldest first, and deletes the notes of the settled ones. Returns the license if
/// something of it is left.
async fn settle_late_hours_of(
    run: &Run<'_>,
    id: LicenseId,
    mut notes: Vec<Dirty>,
) -> Result<Option<LicenseId>, StoreError> {
    notes.sort_by_key(|note| note.hour);
    let Some(license) = run.store.license(&id).await?.filter(|license| license.flush_at.is_none()) else {
        return Ok(None);
    };
    let mut all = Settled::Done;
    for note in notes {
        if run.closing_deadline_passed() {
            return Ok(Some(id));
        }
        if all == Settled::Incomplete && note.hour.closes_month() && may_wait(run, note.hour) {
            // Usage that is left in earlier hours may have to be carried into this one.
            continue;
        }
        let settled = try_settle(run, &license, note.hour, &[]).await;
        if settled == Settled::Done && run.now.duration_since(note.since) >= WRITE_TIMEOUT {
            run.store.clear_dirty(&note).await?;
        }
        all = all.and(settled);
    }
    Ok(Some(id).filter(|_| all == Settled::Incomplete))
}
