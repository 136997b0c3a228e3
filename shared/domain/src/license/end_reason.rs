//! The reason of the end of a license.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The reason of the end of a license. `cancelled`, `expired` and `terminated`: so did its agreement.
/// `agreement_ended`: its agreement ended with a status that says no more. `deprovisioned`: AWS revoked the license.
/// `unsubscribed`: the buyer of a legacy product unsubscribed. `succeeded`: a renewal or replacement has a license of
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The agreement was cancelled.
    Cancelled,
    /// The agreement expired.
    Expired,
    /// The agreement was terminated.
    Terminated,
    /// The agreement ended with a status that gives no reason.
    AgreementEnded,
    /// AWS revoked the license.
    Deprovisioned,
    /// The buyer of a legacy product unsubscribed.
    Unsubscribed,
    /// A renewal or replacement came with a license of its own.
    Succeeded,
}
