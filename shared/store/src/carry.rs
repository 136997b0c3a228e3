//! Carrying: usage that its own hour can no longer hold becomes an item of another hour, in one transaction.

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use rust_decimal::Decimal;

use super::keys::Key;
use super::{Store, StoreError, attribute, keys, write};
use domain::ledger::HourSum;
use domain::metering::{HourlyRecord, RecordName};
use domain::time::UsageHour;

/// An amount that is carried from one hour to another of the same license and dimension.
#[derive(Debug, Clone)]
pub struct Carry<'a> {
    /// The record of the hour that it comes from.
    pub origin: Origin<'a>,
    /// The amount, and what is known of its tags.
    pub amount: HourSum,
    /// The hour that the amount is carried to. It must not be summed yet.
    pub target: UsageHour,
}

/// The record of the hour that an amount is carried from.
#[derive(Debug, Clone)]
pub enum Origin<'a> {
    /// The record is frozen, and holds less than its hour.
    Frozen(&'a HourlyRecord),
    /// The hour has no record yet. This record is written, and names the hour that bills the usage.
    New(&'a HourlyRecord),
}

impl Origin<'_> {
    /// Returns the name of the record: the hour and dimension that the amount comes from.
    pub fn name(&self) -> &RecordName {
        &self.record().name
    }

    fn record(&self) -> &HourlyRecord {
        match self {
            Self::Frozen(record) | Self::New(record) => record,
        }
    }
}

impl Store {
    /// Carries an amount, once. The write holds only if the origin's record is as it was read, and the target hour has
    /// no record of the dimension.
    ///
    /// Returns `true` if the amount was carried. Otherwise another write came first, and the caller must compute the
    /// difference again.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. The amount may be carried then; computing the difference again shows
    /// whether it was.
    pub async fn carry(&self, carry: &Carry<'_>) -> Result<bool, StoreError> {
        let record = carry.origin.record();
        let name = &record.name;
        let carried = match carry.origin {
            Origin::Frozen(record) => record.carried + carry.amount.amount,
            Origin::New(_) => carry.amount.amount,
        };
        let item_key = Key {
            pk: keys::usage(&name.license, carry.target),
            sk: keys::usage_carried(&name.dimension, name.hour, &carried.normalize().to_string()),
        };
        let item = write(&item_key, &self.carried_item(&name.dimension, &carry.amount))?;
        // The target hour is checked even if its time has passed already.
        let note = self.dirty(&name.license, carry.target);
        let note = write(&keys::dirty(&name.license, carry.target), &note)?;
        let marker = write(&keys::marker(carry.target, &name.license), &self.marker(&name.license))?;
        let target = RecordName { hour: carry.target, ..name.clone() };
        let writes = vec![
            match carry.origin {
                Origin::Frozen(record) => TransactWriteItem::builder().update(self.raise(record, carried)?).build(),
                Origin::New(record) => TransactWriteItem::builder().put(self.frozen(record)?).build(),
            },
            self.put_new_item(item)?,
            self.put_any(marker)?,
            self.put_any(note)?,
            TransactWriteItem::builder().condition_check(self.is_as_read(&target, None)?).build(),
            // The carry resolves the note about the waiting amount.
            self.no_note(name)?,
        ];
        self.transact_unless_lost(writes).await
    }

    fn raise(&self, record: &HourlyRecord, carried: Decimal) -> Result<Update, StoreError> {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::record(&record.name).attributes()))
            .update_expression("SET carried = :carried")
            .condition_expression("carried = :before")
            .expression_attribute_values(":carried", attribute(&carried)?)
            .expression_attribute_values(":before", attribute(&record.carried)?)
            .build()
            .map_err(super::unbuildable)
    }

    /// Builds the condition that a name's record is as it was read: there is none, or nothing more was carried from its
    /// hour.
    pub(super) fn is_as_read(
        &self,
        name: &RecordName,
        record: Option<&HourlyRecord>,
    ) -> Result<ConditionCheck, StoreError> {
        let check = ConditionCheck::builder().table_name(&self.table).set_key(Some(keys::record(name).attributes()));
        let check = match record {
            None => check.condition_expression("attribute_not_exists(pk)"),
            Some(record) => check
                .condition_expression("carried = :carried")
                .expression_attribute_values(":carried", attribute(&record.carried)?),
        };
        check.build().map_err(super::unbuildable)
    }
}
