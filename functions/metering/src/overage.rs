//! Contracts with consumption: of an overage, only what the contract does not include becomes a record.

use rust_decimal::Decimal;
use stallkeeper::aws::chain;
use stallkeeper::ids::{AgreementId, DimensionKey};
use stallkeeper::ledger::HourSum;
use stallkeeper::license::{License, State};
use stallkeeper::listing::Listing;
use stallkeeper::metering::{HourlyRecord, RecordName, RecordState};
use stallkeeper::metrics::Metric;
use stallkeeper::overage::Overage;
use stallkeeper::store::{NoteKind, StoreError};
use stallkeeper::time::UsageHour;
use stallkeeper::usage::LARGEST;

use crate::hour::{Settled, note};
use crate::run::{Began, Run};

/// How many agreements are gone back through to find the one that an hour belongs to.
const LONGEST_CHAIN: usize = 50;

/// The entitled dimension of which another is the overage.
pub(crate) fn of<'l>(listing: &'l Listing, dimension: &DimensionKey) -> Option<&'l DimensionKey> {
    listing.dimension(dimension)?.overage_of.as_ref()
}

/// The agreement whose time an hour is in.
struct Period {
    agreement: AgreementId,
    starts_at: jiff::Timestamp,
    /// Whether it is the one that the license follows now.
    is_current: bool,
}

/// Freezes the record of an hour's overage: what exceeds the contract in the hour's period and was not billed before.
/// Until the period and what the contract includes are known the hour waits; if its window closes meanwhile, it has
/// expired, by name.
pub(crate) async fn freeze(
    run: &Run<'_>,
    license: &License,
    record: HourlyRecord,
    sum: &HourSum,
    entitled: &DimensionKey,
) -> Result<Settled, StoreError> {
    let name = record.name.clone();
    let Terms { mut overage, included } = match terms(run, license, &name, entitled).await? {
        Ok(terms) => terms,
        Err(unknown) => return wait(run, record, sum, unknown).await,
    };
    let consumed = overage.consume(sum.amount, included);
    let mut record = HourlyRecord { counted: Some(consumed.counted), ..record };
    record.bill(sum, consumed.quantity);
    if !run.store.freeze_overage(&record, Some(&overage)).await? {
        return Ok(Settled::Wait);
    }
    run.count(Metric::RecordsFrozen, 1);
    run.count(Metric::AllocationsFolded, record.folded_allocations);
    // What the record could not hold is carried on at the next look.
    Ok(if consumed.counted == sum.amount { Settled::Done } else { Settled::Wait })
}

/// What is not known yet of how an hour's usage is billed; only of an overage that can be something.
pub(crate) async fn unknown(
    run: &Run<'_>,
    license: &License,
    name: &RecordName,
) -> Result<Option<NoteKind>, StoreError> {
    let listing = run.store.listing(&license.product).await?;
    let Some(entitled) = listing.as_ref().and_then(|listing| of(listing, &name.dimension)) else { return Ok(None) };
    Ok(terms(run, license, name, entitled).await?.err())
}

/// What an hour's overage is measured by.
struct Terms {
    /// How far the license is in the hour's period.
    overage: Overage,
    /// How much the contract includes.
    included: Decimal,
}

/// The terms of an hour, or what of them is not known.
async fn terms(
    run: &Run<'_>,
    license: &License,
    name: &RecordName,
    entitled: &DimensionKey,
) -> Result<Result<Terms, NoteKind>, StoreError> {
    let Some(period) = period(run, license, name.hour).await? else { return Ok(Err(NoteKind::PeriodUnknown)) };
    let known = run.store.overage(&license.id, &name.dimension, &period.agreement).await?;
    let Some(included) = included(run, license, &period, known.as_ref(), entitled) else {
        return Ok(Err(NoteKind::IncludedUnknown));
    };
    let begin = || Overage::new(license.id.clone(), name.dimension.clone(), period.agreement.clone());
    Ok(Ok(Terms { overage: known.unwrap_or_else(begin), included }))
}

async fn wait(run: &Run<'_>, record: HourlyRecord, sum: &HourSum, kind: NoteKind) -> Result<Settled, StoreError> {
    if sum.amount.is_zero() {
        return Ok(Settled::Done);
    }
    if run.now < record.window_closes() {
        note(run, &record.name, None, kind, sum.amount).await?;
        return Ok(Settled::Wait);
    }
    run.problem(Metric::RecordsExpired, &record.name, "what is billed of it was not known in time");
    let is_frozen = run.store.freeze_overage(&record.become_at(RecordState::Expired, run.now), None).await?;
    // What the record cannot hold is named at the next look.
    Ok(if is_frozen && sum.amount <= LARGEST { Settled::Done } else { Settled::Wait })
}

/// The agreement whose time an hour is in: the license's, or one that it renewed. None while its start is not known.
async fn period(run: &Run<'_>, license: &License, hour: UsageHour) -> Result<Option<Period>, StoreError> {
    let Some(current) = license.agreement() else { return Ok(None) };
    let mut agreement = current.clone();
    for _ in 0..LONGEST_CHAIN {
        let Some((starts_at, previous)) = start(run, &agreement).await? else { return Ok(None) };
        match previous {
            Some(previous) if hour < UsageHour::of(starts_at) => agreement = previous,
            Some(_) | None => {
                let is_current = agreement == *current;
                return Ok(Some(Period { agreement, starts_at, is_current }));
            }
        }
    }
    Ok(None)
}

/// When an agreement began, and which one it renewed. If no event said so, AWS is asked.
async fn start(run: &Run<'_>, id: &AgreementId) -> Result<Option<Began>, StoreError> {
    if let Some(began) = run.remembered(id) {
        return Ok(began);
    }
    let began = find_start(run, id).await?;
    run.remember(id, began.clone());
    Ok(began)
}

async fn find_start(run: &Run<'_>, id: &AgreementId) -> Result<Option<Began>, StoreError> {
    let known = run.store.agreement(id).await?;
    if let Some(agreement) = &known
        && let Some(start) = agreement.starts_at
    {
        return Ok(Some((start, agreement.previous.clone())));
    }
    let start = match run.marketplace.agreement_start(id).await {
        Ok(Some(start)) => start,
        Ok(None) => return Ok(None),
        Err(error) => {
            tracing::warn!(run = run.id, agreement = %id, error = chain(&error), "AWS does not say when it began");
            return Ok(None);
        }
    };
    let agreement = run.store.change_agreement(id, |agreement| agreement.know_start(start)).await?;
    Ok(agreement.starts_at.map(|start| (start, agreement.previous)))
}

/// How much the contract includes in a period: what AWS says now while the license is in force under it; afterwards what
/// was known last, since a license that is over shows nothing any more. None if that was never known.
fn included(
    run: &Run<'_>,
    license: &License,
    period: &Period,
    known: Option<&Overage>,
    entitled: &DimensionKey,
) -> Option<Decimal> {
    let is_read = license.entitlements_read_at.is_some_and(|read| read >= period.starts_at);
    let of_dimension = license.entitlements.iter().filter(|entitlement| entitlement.dimension == *entitled);
    let amounts: Vec<Decimal> = of_dimension.filter_map(|entitlement| entitlement.value.amount()).collect();
    let shown =
        Some(amounts.iter().sum::<Decimal>().round_dp(6)).filter(|_| is_read && !license.entitlements.is_empty());
    let is_in_force = period.is_current && license.state_at(run.now) == State::Active;
    let last = known.map(|overage| overage.included);
    // A contract that shows nothing of the dimension any more is about to end, and not one that includes nothing.
    if is_in_force && !amounts.is_empty() { shown.or(last) } else { last.or(shown) }
}
