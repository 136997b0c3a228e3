//! Overages: each is written in the transaction that freezes the record which bills it.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};

use super::{Store, StoreError, keys, write};
use domain::ids::{AgreementId, DimensionKey, LicenseId};
use domain::metering::HourlyRecord;
use domain::overage::Overage;

impl Store {
    /// Returns the overage of a license and dimension in a period; `None` if nothing of it was counted yet.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn overage(
        &self,
        license: &LicenseId,
        dimension: &DimensionKey,
        period: &AgreementId,
    ) -> Result<Option<Overage>, StoreError> {
        self.get(&keys::overage(license, dimension, period)).await
    }

    /// Returns the overages of a license, for every dimension and period.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn overages(&self, license: &LicenseId) -> Result<Vec<Overage>, StoreError> {
        self.query(&keys::license(license).pk, keys::OVERAGE_PREFIX).await
    }

    /// Freezes the record of an overage, once, together with the overage if the record bills something. The write holds
    /// only if the record's name has no record, and the overage was not written since it was read (`overage.version`).
    /// A note about the record is removed. Returns `true` if the record was written.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. The record may be written then; reading it by its name shows whether it
    /// was.
    pub async fn freeze_overage(&self, record: &HourlyRecord, overage: Option<&Overage>) -> Result<bool, StoreError> {
        let mut writes =
            vec![TransactWriteItem::builder().put(self.frozen(record)?).build(), self.no_note(&record.name)?];
        if let Some(overage) = overage {
            writes.push(TransactWriteItem::builder().put(self.next_version(overage)?).build());
        }
        self.transact_unless_lost(writes).await
    }

    fn next_version(&self, overage: &Overage) -> Result<Put, StoreError> {
        let next = Overage { version: overage.version + 1, ..overage.clone() };
        let item = write(&keys::overage(&next.license, &next.dimension, &next.period), &next)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = if overage.version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(overage.version.to_string()))
        };
        put.build().map_err(super::unbuildable)
    }
}
