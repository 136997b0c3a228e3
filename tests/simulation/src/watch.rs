//! Keeps an eye on the records while the world goes on: what a record bills must never change.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use stallkeeper::ids::LicenseId;
use stallkeeper::metering::{AcceptedBy, HourlyRecord, RecordName, RecordState};
use stallkeeper::store::StoreError;
use stallkeeper::time::UsageHour;

use crate::stack::Stack;

/// What each record was when it was seen first.
#[derive(Debug, Default)]
pub struct Watch {
    first: BTreeMap<RecordName, Decimal>,
    /// What was not as it should be, such as a record that was something else later.
    pub differences: Vec<String>,
    /// The records that another system has booked at AWS.
    pub strange: BTreeSet<RecordName>,
}

impl Watch {
    /// Looks at records as they are now.
    pub fn look(&mut self, records: &[HourlyRecord]) {
        for record in records {
            let quantity = record.quantity.amount();
            let first = *self.first.entry(record.name.clone()).or_insert(quantity);
            if first != quantity {
                let name = named(&record.name);
                self.differences.push(format!("{name} was frozen with {first} and has {quantity}"));
            }
        }
    }
}

/// A record's name in words.
pub fn named(name: &RecordName) -> String {
    format!("{} {} {}", name.license, name.hour, name.dimension)
}

/// All records of a license from one hour to another.
///
/// # Errors
///
/// When the table does not answer.
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

/// The name of a state, as the tally has it.
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
