//! One license's hour: its usage becomes records, or goes to another hour.
//!
//! The one procedure by which an hour is closed, swept, looked at again and flushed. It takes the difference between
//! what the hour holds and what its records say, so doing it again does nothing.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use stallkeeper::ids::DimensionKey;
use stallkeeper::license::{License, State};
use stallkeeper::metering::{HourlyRecord, RecordName, RecordState, WINDOW};
use stallkeeper::store::{Carry, Origin, StoreError};
use stallkeeper::time::UsageHour;
use stallkeeper::usage::{LARGEST, Quantity, carry_target, sum};

use crate::Run;

/// How it went with an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Every unit of it is in a record or on its way to one.
    Done,
    /// Something is left, for the next run.
    Wait,
}

/// Where an hour's usage belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In its own record.
    Here,
    /// In the record of another hour, if that is not frozen yet.
    In(UsageHour),
    /// Nowhere yet: the license has never been active.
    Waiting,
    /// Nowhere any more: the license was not active in time.
    TooLate,
}

/// Brings the records of a license's hour up to what the hour holds. Dimensions in `zeros` get a record of 0 if they
/// have no usage.
pub(crate) async fn settle(
    run: &mut Run<'_>,
    license: &License,
    hour: UsageHour,
    zeros: &[DimensionKey],
) -> Result<Settled, StoreError> {
    let place = place(run, license, hour);
    if place == Place::Waiting {
        return Ok(Settled::Wait);
    }
    let mut sums = sum(&run.store.usage_of_hour(&license.id, hour).await?);
    for dimension in zeros {
        sums.entry(dimension.clone()).or_default();
    }
    let records = run.store.records_of_hour(&license.id, hour).await?;
    let records: BTreeMap<&DimensionKey, &HourlyRecord> =
        records.iter().map(|record| (&record.name.dimension, record)).collect();
    let mut settled = Settled::Done;
    let mut frozen = Vec::new();
    for (dimension, sum) in sums {
        let sum = sum.normalize();
        match records.get(&dimension) {
            Some(record) => {
                let difference = sum - record.quantity.amount() - record.carried;
                settled = settled.and(carry(run, license, record, difference).await?);
            }
            None => match fold(run, license, hour, &dimension, sum, place).await? {
                Folding::Done => {}
                Folding::LostRace => settled = Settled::Wait,
                Folding::Here(record) => {
                    if sum > LARGEST {
                        // The record is capped; the next look at the hour carries the rest on.
                        settled = Settled::Wait;
                    }
                    frozen.push(*record);
                }
            },
        }
    }
    run.store.freeze(&frozen).await?;
    run.report.frozen += frozen.len();
    Ok(settled)
}

impl Settled {
    fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

/// Where the usage of a license's hour belongs, by when the license was in force.
fn place(run: &Run<'_>, license: &License, hour: UsageHour) -> Place {
    let is_over = matches!(license.state_at(run.now), State::Ending { .. } | State::Ended { .. });
    let Some(begun) = license.news.first_active.map(UsageHour::of) else {
        let too_late = run.now >= hour.start() + WINDOW || run.now >= hour.month().window_closes();
        return match (is_over, too_late) {
            (true, _) => Place::Here,
            (false, true) => Place::TooLate,
            (false, false) => Place::Waiting,
        };
    };
    let until = license.usage_until().filter(|_| is_over).map(UsageHour::of);
    match until {
        _ if hour < begun && hour.month() == begun.month() => Place::In(begun),
        _ if hour < begun => Place::TooLate,
        Some(until) if hour > until && hour.month() == until.month() => Place::In(until),
        _ => Place::Here,
    }
}

/// What is done with an hour's usage that has no record.
enum Folding {
    /// It is on its way to another hour, or there is none.
    Done,
    /// Something came between.
    LostRace,
    /// It is billed in its own hour, by this record.
    Here(Box<HourlyRecord>),
}

/// Puts an hour's usage where it belongs: into this record, or into another hour.
async fn fold(
    run: &mut Run<'_>,
    license: &License,
    hour: UsageHour,
    dimension: &DimensionKey,
    sum: Decimal,
    place: Place,
) -> Result<Folding, StoreError> {
    let mut record = HourlyRecord::freeze(license, hour, dimension.clone(), sum, run.now);
    let into = match place {
        Place::In(into) if !sum.is_zero() => home(run, license, dimension, hour, Some(into)).await?,
        Place::In(_) => return Ok(Folding::Done),
        Place::TooLate => {
            record.state = RecordState::Expired;
            problem(run, &record, "expired");
            None
        }
        Place::Here | Place::Waiting => None,
    };
    let Some(into) = into else { return Ok(Folding::Here(Box::new(record))) };
    record.quantity = Quantity::ZERO;
    record.carried = sum;
    record.state = RecordState::Folded { into };
    let carried = run.store.carry(&Carry { origin: Origin::New(&record), amount: sum, target: into }).await?;
    run.report.carried += usize::from(carried);
    Ok(if carried { Folding::Done } else { Folding::LostRace })
}

/// Carries what an hour holds beyond its record.
async fn carry(
    run: &mut Run<'_>,
    license: &License,
    record: &HourlyRecord,
    difference: Decimal,
) -> Result<Settled, StoreError> {
    if difference.is_zero() {
        return Ok(Settled::Done);
    }
    if difference.is_sign_negative() {
        problem(run, record, "overbilled");
        return Ok(Settled::Done);
    }
    let origin = record.name.hour;
    let into = home(run, license, &record.name.dimension, origin, None).await?;
    let Some(into) = into else {
        problem(run, record, "uncarried");
        return Ok(Settled::Wait);
    };
    let carried = run.store.carry(&Carry { origin: Origin::Frozen(record), amount: difference, target: into }).await?;
    run.report.carried += usize::from(carried);
    Ok(if carried { Settled::Done } else { Settled::Wait })
}

/// The first hour, of those that may bill an hour's usage, that has no record of the dimension yet: the preferred one; the
/// last hour of a license that is being flushed, or of the month, if its end lies in the next; the one that late usage
/// goes to.
async fn home(
    run: &Run<'_>,
    license: &License,
    dimension: &DimensionKey,
    origin: UsageHour,
    preferred: Option<UsageHour>,
) -> Result<Option<UsageHour>, StoreError> {
    let last = license.usage_until().filter(|_| license.flush_at.is_some());
    let last = last.map(|until| UsageHour::of(until).min(origin.month().last_hour()));
    let late = carry_target(license, origin, run.now);
    let fits = |hour: &UsageHour| *hour != origin && hour.month() == origin.month();
    for hour in preferred.into_iter().chain(last).chain(late).filter(fits) {
        if is_free(run, license, dimension, hour).await? {
            return Ok(Some(hour));
        }
    }
    Ok(None)
}

async fn is_free(
    run: &Run<'_>,
    license: &License,
    dimension: &DimensionKey,
    hour: UsageHour,
) -> Result<bool, StoreError> {
    let name = RecordName { license: license.id.clone(), hour, dimension: dimension.clone() };
    Ok(run.store.record(&name).await?.is_none())
}

/// Tells of something that a person must look at.
pub(crate) fn problem(run: &mut Run<'_>, record: &HourlyRecord, kind: &'static str) {
    run.report.problems += 1;
    let (license, hour, dimension) = (&record.name.license, &record.name.hour, &record.name.dimension);
    tracing::error!(%license, %hour, %dimension, kind, counter = "metering_problem", "a person must look at a record");
}
