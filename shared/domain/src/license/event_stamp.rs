//! The position of an event among others of its kind.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The position of an event among others of its kind: its time in AWS, and its id if two events have the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventStamp {
    /// The time at which it happened, as AWS reports it.
    pub at: Timestamp,
    /// The id of the event.
    pub event: String,
}
