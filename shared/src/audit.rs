//! The audit log: what callers of the API changed or replayed, who it was, and what belongs to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its id; sorts by time.
    pub id: Ulid,
    /// When.
    pub at: Timestamp,
    /// Who: the caller's ARN.
    pub actor: String,
    /// What, for example `usage.requeue`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What belongs to it: what was there before, what it was to be, and why, where a reason was given.
    pub before: BTreeMap<String, String>,
}

impl AuditEntry {
    /// An entry of now. A caller whom API Gateway does not name is `unknown`.
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
