//! Sessions, contacts and handoffs: the items of a buyer's visit to the registration page.

use super::unbuildable;
use super::{Store, StoreError, attribute, is_conflict_code, keys, unavailable, write};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem};
use domain::audit::AuditEntry;
use domain::ids::LicenseId;
use domain::registration::{Contact, Handoff, Redeemed, Secret, SecretHash, Session};
use jiff::Timestamp;

impl Store {
    /// Opens a session under the hash of its secret.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn open_session(&self, secret: &Secret, session: &Session) -> Result<(), StoreError> {
        self.put(&keys::session(&secret.hash()), session).await
    }

    /// Returns the session of a secret, unless it has ended.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn session(&self, secret: &Secret) -> Result<Option<Session>, StoreError> {
        let session: Option<Session> = self.get(&keys::session(&secret.hash())).await?;
        Ok(session.filter(|session| session.ends_at > self.clock.seconds()))
    }

    /// Returns the contact that a license's buyer left.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn contact(&self, license: &LicenseId) -> Result<Option<Contact>, StoreError> {
        self.get(&keys::contact(license)).await
    }

    /// Copies a contact to the license that took over, unless that license has one, or the contact was erased
    /// meanwhile. The copy belongs to no session.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn inherit_contact(&self, contact: &Contact, heir: &LicenseId) -> Result<(), StoreError> {
        let inherited = Contact { license: heir.clone(), session: None, ..contact.clone() };
        let is_there = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(keys::contact(&contact.license).attributes()))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(unbuildable)?;
        let writes = vec![
            self.put_new_item(write(&keys::contact(heir), &inherited)?)?,
            TransactWriteItem::builder().condition_check(is_there).build(),
        ];
        self.transact_unless_lost(writes).await.map(|_| ())
    }

    /// Erases the contacts of licenses, and writes an audit entry. Returns `false`, and writes nothing, if there are no
    /// contacts.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn erase_contacts(&self, licenses: &[LicenseId], entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut is_any = false;
        let mut writes = vec![self.audited(entry)?];
        for license in licenses {
            is_any |= self.contact(license).await?.is_some();
            // Also where there is none yet: a contact may be on its way from another of the licenses.
            writes.push(self.delete_item(&keys::contact(license))?);
        }
        if is_any && !self.transact_unless_lost(writes).await? {
            return Err(StoreError::Contended(format!("the contact of {}", entry.subject)));
        }
        Ok(is_any)
    }

    /// Returns the handoff of a code; `None` if the code is void, because it has expired or its session has made a
    /// newer one.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn handoff(&self, code: &Secret) -> Result<Option<Handoff>, StoreError> {
        let hash = code.hash();
        let handoff: Option<Handoff> = self.get(&keys::handoff(&hash)).await?;
        let Some(handoff) = handoff.filter(|handoff| handoff.expires_at > self.clock.seconds()) else {
            return Ok(None);
        };
        let session: Option<Session> = self.get(&keys::session(&handoff.session)).await?;
        let is_newest = session.is_some_and(|session| session.handoff == Some(hash));
        Ok(Some(handoff).filter(|_| is_newest))
    }

    /// Makes a code the one of its session that can be redeemed, unless it already is one that was requested later. Of
    /// two clicks the browser follows the second, whichever is answered first.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn use_handoff(
        &self,
        session: &SecretHash,
        handoff: &SecretHash,
        asked_at: Timestamp,
    ) -> Result<(), StoreError> {
        let pointed = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::session(session).attributes()))
            .update_expression("SET handoff = :handoff, handoff_asked_at = :at")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(handoff_asked_at) OR handoff_asked_at <= :at)",
            )
            .expression_attribute_values(":handoff", AttributeValue::S(handoff.as_str().to_owned()))
            .expression_attribute_values(":at", AttributeValue::N(asked_at.as_millisecond().to_string()))
            .send()
            .await;
        match pointed {
            Err(error) if !is_conflict_code(error.code()) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    /// Redeems a code, unless it is redeemed already. Returns `true` if this call has redeemed it.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. The code may be redeemed then; the handoff shows whether it is.
    pub async fn redeem(&self, code: &Secret, redeemed: &Redeemed) -> Result<bool, StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::handoff(&code.hash()).attributes()))
            .update_expression("SET redeemed = :redeemed")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(redeemed)")
            .expression_attribute_values(":redeemed", attribute(redeemed)?)
            .send()
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error) if is_conflict_code(error.code()) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }
}
