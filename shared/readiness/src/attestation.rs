//! Attestations: statements of operators about what no program can check.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The time for which an attestation is valid, before a new one is required.
pub const ATTESTATION_LIFE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The attestation of a check by an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attestation {
    /// The ARN of the caller who attested it.
    pub by: String,
    /// The time of the attestation.
    pub at: Timestamp,
    /// The facts that it rests on.
    pub note: String,
}

impl Attestation {
    /// Returns `true` if it is still valid at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < ATTESTATION_LIFE
    }
}
