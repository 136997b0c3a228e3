//! Attestations of operators, and the reports of the auditor.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use ulid::Ulid;

use super::{Store, StoreError, keys, read, unavailable, write};
use domain::audit::AuditEntry;
use domain::errors::chain;
use domain::ids::ProductCode;
use readiness_checks::{Attestation, Report};

/// The time that a report is kept, in seconds.
const REPORT_IS_KEPT: i64 = 400 * 24 * 3600;

/// The longest text that a stored report keeps, in characters. An item of DynamoDB holds 400 KB at most.
const LONGEST_TEXT: usize = 1000;

impl Store {
    /// Returns the attestations about a listing, by the id of the check.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn attestations(&self, product: &ProductCode) -> Result<BTreeMap<String, Attestation>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            attestation: Attestation,
        }
        let rows: Vec<Row> = self.query(&keys::listing(product).pk, keys::ATTESTATION_PREFIX).await?;
        let check = |sk: &str| sk.strip_prefix(keys::ATTESTATION_PREFIX).map(str::to_owned);
        Ok(rows.into_iter().filter_map(|row| Some((check(&row.sk)?, row.attestation))).collect())
    }

    /// Writes an operator's attestation about a check, which replaces an earlier one, and writes an audit entry.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or when another writer attests the same check at the same time.
    pub async fn put_attestation(
        &self,
        product: &ProductCode,
        check: &str,
        attestation: &Attestation,
    ) -> Result<(), StoreError> {
        let key = keys::attestation(product, check);
        let entry = AuditEntry::new(
            Some(&attestation.by),
            "readiness.attest",
            format!("{product} {check}"),
            [("note", attestation.note.clone())],
            attestation.at,
        );
        let writes = vec![self.put_any(write(&key, attestation)?)?, self.audited(&entry)?];
        match self.transact_unless_lost(writes).await? {
            true => Ok(()),
            false => Err(StoreError::Contended(format!("{} {}", key.pk, key.sk))),
        }
    }

    /// Withdraws the attestation about a check, and writes an audit entry. Returns `true` if there was an attestation.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or when another writer attests the same check at the same time.
    pub async fn withdraw_attestation(
        &self,
        product: &ProductCode,
        check: &str,
        actor: Option<&str>,
    ) -> Result<bool, StoreError> {
        let key = keys::attestation(product, check);
        let Some(attestation) = self.get::<Attestation>(&key).await? else { return Ok(false) };
        let was = [("by", attestation.by), ("at", attestation.at.to_string()), ("note", attestation.note)];
        let subject = format!("{product} {check}");
        let entry = AuditEntry::new(actor, "readiness.withdraw", subject, was, self.clock.now());
        match self.transact_unless_lost(vec![self.delete_item(&key)?, self.audited(&entry)?]).await? {
            true => Ok(true),
            false => Err(StoreError::Contended(format!("{} {}", key.pk, key.sk))),
        }
    }

    /// Writes a report, which is kept for 400 days. Very long texts are truncated.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn put_report(&self, report: &Report) -> Result<(), StoreError> {
        let mut kept = report.clone();
        for text in kept.checks.iter_mut().flat_map(|finding| finding.message.arguments.values_mut()) {
            if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
                text.truncate(end);
                text.push('…');
            }
        }
        let mut item = write(&keys::report(&report.product, &report.id), &kept)?;
        let expires_at = report.at.as_second().saturating_add(REPORT_IS_KEPT);
        item.insert("expires_at".to_owned(), AttributeValue::N(expires_at.to_string()));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Returns the newest readable report of a listing.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn latest_report(&self, product: &ProductCode) -> Result<Option<Report>, StoreError> {
        let mut before = None;
        loop {
            let (mut reports, next) = self.reports(product, before, 1).await?;
            if !reports.is_empty() || next.is_none() {
                return Ok(reports.pop());
            }
            before = next;
        }
    }

    /// Returns a page of the reports of a listing that are older than `before`, newest first, and the id before which
    /// the next page starts. A report that cannot be read is skipped: a newer version of the code wrote it, and the
    /// next audit run replaces it.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn reports(
        &self,
        product: &ProductCode,
        before: Option<Ulid>,
        limit: i32,
    ) -> Result<(Vec<Report>, Option<Ulid>), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", AttributeValue::S(keys::listing(product).pk))
            .expression_attribute_values(":prefix", AttributeValue::S(keys::REPORT_PREFIX.to_owned()))
            .set_exclusive_start_key(before.map(|id| keys::report(product, &id).attributes()))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(unavailable)?;
        let reports = answer.items.unwrap_or_default().into_iter().map(read).filter_map(|report| {
            report.inspect_err(|error| tracing::warn!(error = %chain(error), "a report cannot be read")).ok()
        });
        let next = answer.last_evaluated_key.and_then(|key| {
            let sk = key.get("sk").and_then(|sk| sk.as_s().ok())?;
            sk.strip_prefix(keys::REPORT_PREFIX)?.parse().ok()
        });
        Ok((reports.collect(), next))
    }
}
