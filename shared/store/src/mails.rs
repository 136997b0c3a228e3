//! Mails: the events about which a mail was sent to the buyer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, keys};
use domain::notification::OutboundEvent;

/// The time that a sent mail is remembered, in seconds. It is longer than any replay of events reaches back.
const RETENTION_SECONDS: i64 = 400 * 24 * 3600;

/// A mail that was sent.
#[derive(Serialize, Deserialize)]
struct Mailed {
    at: Timestamp,
    /// The time from which the table may delete the item (TTL), in seconds since 1970.
    expires_at: i64,
}

impl Store {
    /// Returns `true` if a mail about an event was sent.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn is_mailed(&self, event: &OutboundEvent) -> Result<bool, StoreError> {
        let mailed: Option<Mailed> = self.get(&keys::mail(&event.license, &event.id)).await?;
        Ok(mailed.is_some())
    }

    /// Records that a mail about an event was sent.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn note_mailed(&self, event: &OutboundEvent) -> Result<(), StoreError> {
        let at = self.clock.now();
        let mailed = Mailed { at, expires_at: at.as_second().saturating_add(RETENTION_SECONDS) };
        self.put(&keys::mail(&event.license, &event.id), &mailed).await
    }
}
