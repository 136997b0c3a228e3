//! Which events buyers have had mail about.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, keys};
use crate::notification::OutboundEvent;

/// For how long it is remembered, in seconds: longer than anybody replays events.
const REMEMBERED: i64 = 400 * 24 * 3600;

/// A mail that was sent.
#[derive(Serialize, Deserialize)]
struct Mailed {
    at: Timestamp,
    /// When the table may drop it (TTL).
    expires_at: i64,
}

impl Store {
    /// Whether there was mail about an event.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn is_mailed(&self, event: &OutboundEvent) -> Result<bool, StoreError> {
        let mailed: Option<Mailed> = self.get(&keys::mail(&event.license, &event.id)).await?;
        Ok(mailed.is_some())
    }

    /// Writes down that there was.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn note_mailed(&self, event: &OutboundEvent) -> Result<(), StoreError> {
        let at = self.clock.now();
        let mailed = Mailed { at, expires_at: at.as_second().saturating_add(REMEMBERED) };
        self.put(&keys::mail(&event.license, &event.id), &mailed).await
    }
}
