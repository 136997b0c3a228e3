//! Attestations: statements of callers about what no program can check.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The time for which an attestation is valid, before a new one is required.
pub const ATTESTATION_LIFE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// A caller's statement that a check holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The caller's ARN.
    pub by: String,
    /// The time of the attestation.
    pub at: Timestamp,
    /// The caller's note.
    pub note: String,
}

impl Attestation {
    /// Returns `true` if it is still valid at `now`.
    pub fn stands(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < ATTESTATION_LIFE
    }
}
