//! The audit log: what callers of the API changed or replayed, which caller it was, and the details.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// An action of a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its id, which sorts by time.
    pub id: Ulid,
    /// The time of the action.
    pub at: Timestamp,
    /// The caller's ARN.
    pub actor: String,
    /// The name of the action, for example `usage.requeue`.
    pub action: String,
    /// The object of the action.
    pub subject: String,
    /// The details: the previous values, the intended values, and the reason, if one was given.
    pub before: BTreeMap<String, String>,
}

impl AuditEntry {
    /// Creates an entry at `now`. A caller that API Gateway does not name is `unknown`.
    pub fn new<const N: usize>(
        actor: Option<&str>,
        action: &str,
        subject: impl ToString,
        before: [(&str, String); N],
        now: Timestamp,
    ) -> Self {
        Self {
            id: Ulid::from_datetime(now.into()),
            at: now,
            actor: actor.unwrap_or("unknown").to_owned(),
            action: action.to_owned(),
            subject: subject.to_string(),
            before: before.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}
