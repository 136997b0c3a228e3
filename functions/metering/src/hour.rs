//! Settles one hour of a license: its usage becomes records, or is carried to another hour.
//!
//! This is the one procedure by which an hour is closed, swept, checked again and flushed. It takes the difference
//! between what the hour holds and what its records stand for, so repeating it changes nothing.

use crate::overage;
use crate::run::Run;
use crate::settled::{Settled, note};
use domain::ids::{DimensionKey, LicenseId};
use domain::ledger::HourSum;
use domain::license::License;
use domain::metering::{HourlyRecord, RecordName, RecordState, window_closes_of};
use domain::time::UsageHour;
use domain::usage::{MAX_QUANTITY, Quantity, carry_target};
use jiff::SignedDuration;
use lambda::metrics::Metric;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use store::{Carry, NoteKind, Origin, StoreError};

/// The time before AWS's window closes from which usage without a record is carried to a later hour, if AWS accepts one
/// for longer.
const CARRY_BEFORE_CLOSE: SignedDuration = SignedDuration::from_mins(60);

/// The time before AWS's window for a month closes at which the month's last hour is summed, even if usage is missing
/// in it.
const SUM_BEFORE_CLOSE: SignedDuration = SignedDuration::from_mins(8);

/// The sums of an hour by dimension.
pub(crate) type Sums = BTreeMap<DimensionKey, HourSum>;

/// Settles a license's hour: freezes the records that are missing, and carries usage that its records do not stand for.
/// Dimensions in `zeros` get a record of 0 if they have no usage.
pub(crate) async fn settle(
    run: &Run<'_>,
    license: &License,
    hour: UsageHour,
    zeros: &[DimensionKey],
) -> Result<Settled, StoreError> {
    let mut sums = with_zeros(sums_of_hour(run, &license.id, hour).await?, zeros);
    let mut settled = Settled::Done;
    for record in run.store.records_of_hour(&license.id, hour).await? {
        let sum = sums.remove(&record.name.dimension).unwrap_or_default();
        settled = settled.and(carry(run, license, &record, &sum).await?);
    }
    let (records, rest) = new_records(run, license, hour, sums).await?;
    let is_there = freeze(run, &records).await?;
    let raced = if is_there.is_empty() { Settled::Done } else { Settled::Incomplete };
    Ok(settled.and(rest).and(raced))
}

/// Reads the sums of a license's hour. Keys that were reported with several contents are listed first, so that no
/// record is frozen before that.
pub(crate) async fn sums_of_hour(run: &Run<'_>, license: &LicenseId, hour: UsageHour) -> Result<Sums, StoreError> {
    let sums = run.store.sums_of_hour(license, hour).await?;
    for (dimension, sum) in &sums {
        let about = RecordName { license: license.clone(), hour, dimension: dimension.clone() };
        for contested in &sum.contested {
            if run.store.list_contested(&about, contested).await? {
                run.count(Metric::UsageConflict, 1);
                let (run, key) = (run.id.as_str(), contested.key.as_str());
                tracing::error!(run, %license, %hour, %dimension, key, "Found several contents under one key and revision");
            }
        }
    }
    Ok(sums)
}

/// Adds a sum of 0 for each of the given dimensions that has none.
pub(crate) fn with_zeros(mut sums: Sums, zeros: &[DimensionKey]) -> Sums {
    for dimension in zeros {
        sums.entry(dimension.clone()).or_default();
    }
    sums
}

/// Freezes records. Returns the names of those that existed already.
pub(crate) async fn freeze(run: &Run<'_>, records: &[HourlyRecord]) -> Result<Vec<RecordName>, StoreError> {
    let frozen = run.store.freeze(records).await?;
    run.count(Metric::RecordsFrozen, frozen.iter().filter(|is_new| **is_new).count());
    Ok(records.iter().zip(frozen).filter(|(_, is_new)| !is_new).map(|(record, _)| record.name.clone()).collect())
}

/// The place where an hour's usage belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// In its own record.
    Here,
    /// In the record of another hour, if that is not frozen yet.
    In(UsageHour),
    /// Nowhere yet: the license has never been active.
    Waiting,
    /// Nowhere any more: the license was not active in time.
    TooLate,
}

/// Returns the place where the usage of a license's hour belongs, by the time in which the license was in force.
fn destination(run: &Run<'_>, license: &License, hour: UsageHour) -> Destination {
    let has_ended = license.state_at(run.now).has_ended();
    // A license that ended before it was ever in force: its first hour is the one from which it was to be metered.
    let begun = license.metered_since().map(UsageHour::of).or(license.metered_from.filter(|_| has_ended));
    let Some(begun) = begun else {
        let too_late = run.now >= window_closes_of(hour);
        return match (has_ended, too_late) {
            (true, _) => Destination::Here,
            (false, true) => Destination::TooLate,
            (false, false) => Destination::Waiting,
        };
    };
    let until = license.usage_until().filter(|_| has_ended).map(UsageHour::of);
    match until {
        // It ended before its first hour: another key billed the hours before, and AWS accepts nothing after the end.
        Some(until) if until < begun => Destination::TooLate,
        _ if hour < begun && hour.month() == begun.month() => Destination::In(begun),
        _ if hour < begun => Destination::TooLate,
        Some(until) if hour > until && hour.month() == until.month() => Destination::In(until),
        _ => Destination::Here,
    }
}

/// Builds the records of an hour's sums, which have no record yet. Usage that does not belong in a record of this hour
/// is carried to the hour where it belongs; usage billed beyond a contract is frozen here, together with its overage.
pub(crate) async fn new_records(
    run: &Run<'_>,
    license: &License,
    hour: UsageHour,
    sums: Sums,
) -> Result<(Vec<HourlyRecord>, Settled), StoreError> {
    let destination = destination(run, license, hour);
    if sums.is_empty() || destination == Destination::Waiting {
        return Ok((Vec::new(), if destination == Destination::Waiting { Settled::Incomplete } else { Settled::Done }));
    }
    let listing = run.store.listing(&license.product).await?;
    let (mut records, mut settled) = (Vec::new(), Settled::Done);
    for (dimension, sum) in sums {
        let record = HourlyRecord::freeze(license, hour, dimension, &sum, run.now);
        if let Some(into) = carry_destination(run, license, &record, destination, sum.amount).await? {
            settled = settled.and(fold(run, record, &sum, into).await?);
        } else if matches!(destination, Destination::In(_)) && sum.amount.is_zero() {
            // There is nothing to bill before or after the license's time.
        } else if destination == Destination::TooLate {
            run.problem(Metric::RecordsExpired, &record.name, "the license was not active in time");
            records.push(record.with_state_at(RecordState::Expired, run.now));
            settled = settled.and(settled_by_first_record(&sum));
        } else if let Some(of) = listing.as_ref().and_then(|listing| overage::of(listing, &record.name.dimension)) {
            settled = settled.and(overage::freeze(run, license, record, &sum, of).await?);
        } else {
            settled = settled.and(settled_by_first_record(&sum));
            records.push(record);
        }
    }
    for record in &records {
        run.count(Metric::AllocationsFolded, record.folded_allocations);
    }
    Ok((records, settled))
}

/// Returns [`Settled::Done`] if the first record of a dimension holds all of an hour's sum. A record is capped at
/// [`MAX_QUANTITY`]; a later run carries the rest, or names it as a problem.
fn settled_by_first_record(sum: &HourSum) -> Settled {
    if sum.amount > MAX_QUANTITY { Settled::Incomplete } else { Settled::Done }
}

/// Returns the hour whose record bills usage that has no record in its own hour: the hour where it belongs, or a
/// running one if AWS's window for its own hour is about to close. `None` if the usage stays in its own hour.
async fn carry_destination(
    run: &Run<'_>,
    license: &License,
    record: &HourlyRecord,
    destination: Destination,
    amount: Decimal,
) -> Result<Option<UsageHour>, StoreError> {
    if amount.is_zero() {
        return Ok(None);
    }
    match destination {
        Destination::In(into) => {
            // Usage after a license's end is not carried into another hour after that end: it would be carried on
            // endlessly. If the license's last hour has a record already, the usage stays where it is, and AWS decides
            // if it accepts it.
            let first_open_hour = first_open_hour(run, license, &record.name, Some(into)).await?;
            Ok(first_open_hour.filter(|first_open_hour| record.name.hour < into || *first_open_hour <= into))
        }
        Destination::Here if record.window_closes().duration_since(run.now) < CARRY_BEFORE_CLOSE => {
            if overage::unknown(run, license, &record.name).await?.is_some() {
                // It expires in its own hour: in a later hour it would only wait longer.
                return Ok(None);
            }
            let first_open_hour = first_open_hour(run, license, &record.name, None).await?;
            Ok(first_open_hour.filter(|into| window_closes_of(*into) > record.window_closes()))
        }
        Destination::Here | Destination::Waiting | Destination::TooLate => Ok(None),
    }
}

/// Returns `true` if a month's last hour may still wait for the earlier hours whose usage it bills.
pub(crate) fn may_wait(run: &Run<'_>, hour: UsageHour) -> bool {
    hour.month().window_closes().duration_since(run.now) > SUM_BEFORE_CLOSE
}

/// Carries all of an hour's usage of a dimension to another hour; a record of 0 names that hour.
async fn fold(run: &Run<'_>, record: HourlyRecord, sum: &HourSum, into: UsageHour) -> Result<Settled, StoreError> {
    let record = HourlyRecord {
        quantity: Quantity::ZERO,
        allocations: Vec::new(),
        carried: sum.amount,
        ..record.with_state_at(RecordState::Folded { into }, run.now)
    };
    carry_once(run, Carry { origin: Origin::New(&record), amount: sum.clone(), target: into }).await
}

/// Carries the usage that an hour holds beyond its record, or writes a note about it.
async fn carry(run: &Run<'_>, license: &License, record: &HourlyRecord, sum: &HourSum) -> Result<Settled, StoreError> {
    let difference = sum.amount - record.accounted_amount();
    if difference.is_zero() {
        return Ok(Settled::Done);
    }
    if difference.is_sign_negative() {
        return note(run, &record.name, Some(record), NoteKind::Overbilled, -difference).await;
    }
    let unknown = overage::unknown(run, license, &record.name).await?;
    // In a later hour the usage of a license that is not in force would only expire a day later.
    let may_move = unknown.is_none() && destination(run, license, record.name.hour) != Destination::TooLate;
    let into = if may_move { first_open_hour(run, license, &record.name, None).await? } else { None };
    if let Some(into) = into {
        let amount = record.usage_beyond(sum, difference);
        return carry_once(run, Carry { origin: Origin::Frozen(record), amount, target: into }).await;
    }
    // Usage that its month can no longer take in stays with the note, as does usage whose terms were not known until
    // its window closed.
    let closes = if unknown.is_some() { record.window_closes() } else { record.name.hour.month().window_closes() };
    if run.now < closes {
        note(run, &record.name, Some(record), unknown.unwrap_or(NoteKind::Uncarried), difference).await?;
        return Ok(Settled::Incomplete);
    }
    note(run, &record.name, Some(record), NoteKind::Uncarried, difference).await
}

async fn carry_once(run: &Run<'_>, carry: Carry<'_>) -> Result<Settled, StoreError> {
    if !run.store.carry(&carry).await? {
        return Ok(Settled::Incomplete);
    }
    run.count(Metric::UsageCarried, 1);
    let RecordName { license, hour, dimension } = carry.origin.name();
    tracing::info!(run = run.id, %license, %hour, %dimension, amount = %carry.amount.amount, into = %carry.target, "Carried usage to another hour");
    Ok(Settled::Done)
}

/// Returns the first hour that may bill an hour's usage and has no record of the dimension yet. The candidates in
/// order: the preferred one; the last hour of a license that is being flushed, or of the month if the license ends in
/// the next; the hour to which late usage is carried; the last hour of the month, if it has started. No candidate lies
/// after the end of the license: AWS would refuse it.
async fn first_open_hour(
    run: &Run<'_>,
    license: &License,
    name: &RecordName,
    preferred: Option<UsageHour>,
) -> Result<Option<UsageHour>, StoreError> {
    let origin = name.hour;
    let last = license.usage_until().filter(|_| license.flush_at.is_some());
    let last = last.map(|until| UsageHour::of(until).min(origin.month().last_hour()));
    let late = carry_target(license, origin, run.now);
    let ends = license.usage_until().map(UsageHour::of);
    let is_too_late = |hour: UsageHour| ends.is_some_and(|ends| hour > ends);
    let fits = |hour: &UsageHour| {
        *hour != origin && hour.month() == origin.month() && license.bills(*hour) && !is_too_late(*hour)
    };
    let last_of_month = Some(origin.month().last_hour()).filter(|hour| hour.start() <= run.now);
    for hour in preferred.into_iter().chain(last).chain(late).chain(last_of_month).filter(fits) {
        if run.store.record(&RecordName { hour, ..name.clone() }).await?.is_none() {
            return Ok(Some(hour));
        }
    }
    Ok(None)
}
