//! Watches the records while the simulation runs: the quantity that a record bills must never change.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::LicenseId;
use domain::metering::{AcceptedBy, HourlyRecord, RecordName, RecordState};
use domain::time::UsageHour;
use rust_decimal::Decimal;
use store::StoreError;

use crate::difference::Difference;
use crate::stack::Stack;

/// The quantity of each record when it was first observed.
#[derive(Debug, Default)]
pub struct Watch {
    first: BTreeMap<RecordName, Decimal>,
    /// The deviations, such as a record whose quantity has changed.
    pub differences: Vec<Difference>,
    /// The records that another system has booked in AWS.
    pub booked_elsewhere: BTreeSet<RecordName>,
}

impl Watch {
    /// Compares records with their first observation.
    pub fn check(&mut self, records: &[HourlyRecord]) {
        for record in records {
            let quantity = record.quantity.amount();
            let first = *self.first.entry(record.name.clone()).or_insert(quantity);
            if first != quantity {
                let what = format!("{} was summed as {first} and has {quantity}", named(&record.name));
                self.differences.push(Difference::about(&record.name.license, what));
            }
        }
    }
}

/// Returns a record's name as text.
pub fn named(name: &RecordName) -> String {
    format!("{} {} {}", name.license, name.hour, name.dimension)
}

/// Returns all records of a license from one hour to another.
///
/// # Errors
///
/// Fails when the table does not answer.
pub async fn records(
    stack: &Stack,
    license: &LicenseId,
    hours: (UsageHour, UsageHour),
) -> Result<Vec<HourlyRecord>, StoreError> {
    let mut records = Vec::new();
    let mut cursor = None;
    loop {
        let page = stack.store.records_between(license, hours, cursor.as_deref(), 1000).await?;
        records.extend(page.records);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(records);
        }
    }
}

/// Returns the name of a state in the tally.
pub fn state(state: &RecordState) -> &'static str {
    match state {
        RecordState::Held { .. } => "held",
        RecordState::Sealed => "sealed",
        RecordState::Claimed { .. } => "claimed",
        RecordState::Accepted { by: AcceptedBy::Success, .. } => "accepted by success",
        RecordState::Accepted { by: AcceptedBy::Duplicate, .. } => "accepted by duplicate",
        RecordState::Conflict => "conflict",
        RecordState::Refused { .. } => "refused",
        RecordState::Expired => "expired",
        RecordState::Unconfirmed { .. } => "unconfirmed",
        RecordState::Folded { .. } => "folded",
        RecordState::DryRun => "dry_run",
    }
}
