//! Contracts with consumption: the record of an overage bills only the usage that the contract does not include.

use crate::run::{AgreementStart, Run};
use crate::settled::{Settled, note};
use domain::errors::chain;
use domain::ids::{AgreementId, DimensionKey};
use domain::ledger::HourSum;
use domain::license::{License, State};
use domain::listing::Listing;
use domain::metering::{HourlyRecord, RecordName, RecordState};
use domain::overage::Overage;
use domain::time::UsageHour;
use domain::usage::MAX_QUANTITY;
use lambda::metrics::Metric;
use rust_decimal::Decimal;
use store::{NoteKind, StoreError};

/// The most agreements that are followed back to find the one that an hour belongs to.
const MAX_AGREEMENT_CHAIN: usize = 50;

/// Returns the entitled dimension whose overage the given dimension is; `None` if it is no overage.
pub(crate) fn of<'l>(listing: &'l Listing, dimension: &DimensionKey) -> Option<&'l DimensionKey> {
    listing.dimension(dimension)?.overage_of.as_ref()
}

/// The agreement in whose period an hour lies.
struct Period {
    agreement: AgreementId,
    starts_at: jiff::Timestamp,
    /// Set if it is the agreement that the license follows now.
    is_current: bool,
}

/// Freezes the record of an hour's overage: the usage that exceeds the contract in the hour's period and was not billed
/// before. The hour waits until the period and the included quantity are known. If its window closes first, the record
/// expires and is reported as a problem.
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
        return Ok(Settled::Incomplete);
    }
    run.count(Metric::RecordsFrozen, 1);
    run.count(Metric::AllocationsFolded, record.folded_allocations);
    // The next settlement of the hour carries the usage that the record could not hold.
    Ok(if consumed.counted == sum.amount { Settled::Done } else { Settled::Incomplete })
}

/// Returns what is not known yet about the billing of an hour's usage; `None` if all is known or the dimension is no
/// overage.
pub(crate) async fn unknown(
    run: &Run<'_>,
    license: &License,
    name: &RecordName,
) -> Result<Option<NoteKind>, StoreError> {
    let listing = run.store.listing(&license.product).await?;
    let Some(entitled) = listing.as_ref().and_then(|listing| of(listing, &name.dimension)) else { return Ok(None) };
    Ok(terms(run, license, name, entitled).await?.err())
}

/// The terms that an hour's overage is measured by.
struct Terms {
    /// The overage of the license in the hour's period so far.
    overage: Overage,
    /// The quantity that the contract includes.
    included: Decimal,
}

/// Reads the terms of an hour, or returns what is not known about them.
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
        return Ok(Settled::Incomplete);
    }
    run.problem(Metric::RecordsExpired, &record.name, "the billed quantity was not known in time");
    let is_frozen = run.store.freeze_overage(&record.with_state_at(RecordState::Expired, run.now), None).await?;
    // The next settlement of the hour handles the usage that the record cannot hold.
    Ok(if is_frozen && sum.amount <= MAX_QUANTITY { Settled::Done } else { Settled::Incomplete })
}

/// Finds the agreement in whose period an hour lies: the license's, or one that it renewed. `None` if the license has
/// no agreement, while a start is not known, or if the hour is further back than [`MAX_AGREEMENT_CHAIN`] agreements.
async fn period(run: &Run<'_>, license: &License, hour: UsageHour) -> Result<Option<Period>, StoreError> {
    let Some(current) = license.agreement() else { return Ok(None) };
    let mut agreement = current.clone();
    for _ in 0..MAX_AGREEMENT_CHAIN {
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

/// Returns the start of an agreement, and the agreement that it renewed. Asks AWS if no event named the start.
async fn start(run: &Run<'_>, id: &AgreementId) -> Result<Option<AgreementStart>, StoreError> {
    if let Some(began) = run.known_start(id) {
        return Ok(began);
    }
    let began = find_start(run, id).await?;
    run.set_known_start(id, began.clone());
    Ok(began)
}

async fn find_start(run: &Run<'_>, id: &AgreementId) -> Result<Option<AgreementStart>, StoreError> {
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
            tracing::warn!(run = run.id, agreement = %id, error = chain(&error), "Failed to read the start of an agreement");
            return Ok(None);
        }
    };
    let agreement = run.store.change_agreement(id, |agreement| agreement.apply_start(start)).await?;
    Ok(agreement.starts_at.map(|start| (start, agreement.previous)))
}

/// Returns the quantity that the contract includes in a period: what AWS shows now while the license is in force under
/// it; afterwards the last known quantity, since an ended license shows no entitlements. `None` if it was never known.
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
    // A contract that shows no entitlement for the dimension is about to end. It does not mean that it includes
    // nothing.
    if is_in_force && !amounts.is_empty() { shown.or(last) } else { last.or(shown) }
}
