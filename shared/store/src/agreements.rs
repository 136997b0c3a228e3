//! Agreements, and the licenses that follow them.

use super::{MAX_ATTEMPTS, Store, StoreError, backoff, is_conflict_code, keys, unavailable, write};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::agreement::Agreement;
use domain::ids::{AgreementId, LicenseId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Link {
    license: LicenseId,
}

impl Store {
    /// Reads what is known of an agreement.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn agreement(&self, id: &AgreementId) -> Result<Option<Agreement>, StoreError> {
        self.get(&keys::agreement(id)).await
    }

    /// Changes what is known of an agreement, and returns the agreement as it then is. Creates its row if it was not
    /// known.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or when other writers keep writing the same agreement.
    pub async fn change_agreement(
        &self,
        id: &AgreementId,
        change: impl Fn(&mut Agreement),
    ) -> Result<Agreement, StoreError> {
        let key = keys::agreement(id);
        for attempt in 0..MAX_ATTEMPTS {
            backoff(attempt).await;
            let known = self.agreement(id).await?;
            let mut agreement = known.clone().unwrap_or_else(|| Agreement::new(id.clone()));
            change(&mut agreement);
            if Some(&agreement) == known.as_ref() {
                return Ok(agreement);
            }
            let based_on = agreement.version;
            agreement.version += 1;
            let written = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(write(&key, &agreement)?))
                .condition_expression("attribute_not_exists(pk) OR version = :based_on")
                .expression_attribute_values(":based_on", AttributeValue::N(based_on.to_string()))
                .send()
                .await;
            match written {
                Ok(_) => return Ok(agreement),
                Err(error) if is_conflict_code(error.code()) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(StoreError::Contended(key.pk))
    }

    /// Records that a license follows an agreement.
    ///
    /// The caller that links a license reads the agreement afterwards. The caller that writes an agreement's event
    /// reads the links afterwards. Both reads are consistent, so at least one of the two callers observes the write of
    /// the other.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn link_to_agreement(&self, agreement: &AgreementId, license: &LicenseId) -> Result<(), StoreError> {
        self.put(&keys::link(agreement, license), &Link { license: license.clone() }).await
    }

    /// Returns the licenses that were ever linked to an agreement.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn licenses_of_agreement(&self, agreement: &AgreementId) -> Result<Vec<LicenseId>, StoreError> {
        let links: Vec<Link> = self.query(&keys::agreement(agreement).pk, keys::LINK_PREFIX).await?;
        Ok(links.into_iter().map(|link| link.license).collect())
    }
}
