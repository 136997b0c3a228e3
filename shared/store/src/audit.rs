//! The audit log. An entry is written in the transaction of the change that it describes. For an action that changes
//! nothing in the table, the entry is written before the action.

use aws_sdk_dynamodb::types::TransactWriteItem;
use jiff::tz::TimeZone;

use super::{Store, StoreError, keys, write};
use domain::audit::AuditEntry;

impl Store {
    /// Returns the entries of a month, written `2026-11`, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn audit_log(&self, month: &str) -> Result<Vec<AuditEntry>, StoreError> {
        self.query(&keys::audit_month(month), "").await
    }

    /// Writes the entry of an action that changes nothing in the table.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.put(&audit_key(entry), entry).await
    }

    /// Builds the write of an entry.
    pub(super) fn audited(&self, entry: &AuditEntry) -> Result<TransactWriteItem, StoreError> {
        self.put_new_item(write(&audit_key(entry), entry)?)
    }
}

fn audit_key(entry: &AuditEntry) -> keys::Key {
    let month = TimeZone::UTC.to_datetime(entry.at).strftime("%Y-%m").to_string();
    keys::audit(&month, &entry.id)
}
