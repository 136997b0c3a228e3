//! What a buyer's visit leaves: sessions, contacts, handoffs.

use super::{Store, StoreError, keys};
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
