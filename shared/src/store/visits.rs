//! What a buyer's visit leaves: sessions, contacts, handoffs.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;

use super::{Store, StoreError, is_race, keys, unavailable, write};
use crate::ids::LicenseId;
use crate::registration::{Contact, Handoff, Secret, Session};

impl Store {
    /// Opens a session under the hash of its secret.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn open_session(&self, secret: &Secret, session: &Session) -> Result<(), StoreError> {
        self.put(&keys::session(&secret.hash()), session).await
    }

    /// The session of a secret, unless it is over.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn session(&self, secret: &Secret) -> Result<Option<Session>, StoreError> {
        let session: Option<Session> = self.get(&keys::session(&secret.hash())).await?;
        Ok(session.filter(|session| session.expires_at > self.clock.seconds()))
    }

    /// The contact that a license's buyer left.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn contact(&self, license: &LicenseId) -> Result<Option<Contact>, StoreError> {
        self.get(&keys::contact(license)).await
    }

    /// Keeps a contact, unless the license has one.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn leave_contact_if_none(&self, contact: &Contact) -> Result<(), StoreError> {
        let written = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(&keys::contact(&contact.license), contact)?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match written {
            Err(error) if !is_race(error.code()) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    /// The handoff of a code, unless it is void.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn handoff(&self, code: &Secret) -> Result<Option<Handoff>, StoreError> {
        let handoff: Option<Handoff> = self.get(&keys::handoff(&code.hash())).await?;
        Ok(handoff.filter(|handoff| handoff.expires_at > self.clock.seconds()))
    }
}
