//! What people say of what no program can look at.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long an attestation stands before it is asked for again.
pub const ATTESTATION_LIFE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// That a person says: it is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// Who said it: the caller's ARN.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What they say about it.
    pub note: String,
}

impl Attestation {
    /// Whether it still stands.
    pub fn stands(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < ATTESTATION_LIFE
    }
}
