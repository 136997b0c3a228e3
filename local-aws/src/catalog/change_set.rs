//! A change set: the requested changes, and their progress.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{EntityKind, ErrorDetail};

/// Changes that were requested together; all of them are applied, or none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChangeSet {
    pub id: String,
    pub name: String,
    pub started: Timestamp,
    pub changes: Vec<Change>,
    pub progress: Progress,
    /// The failure with which it ends, whatever its changes are, if a control call has set one.
    pub forced_failure: Option<Failure>,
    /// The original request: the same request with the same token is the same change set.
    pub request: RequestedChangeSet,
}

/// A change of an entity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub kind: EntityKind,
    pub change_type: String,
    /// The entity's id, also for an entity that this change creates.
    pub entity: String,
    pub name: Option<String>,
    pub details: Value,
    /// `true` if the details came as a text (`Details`) and not as a document (`DetailsDocument`).
    pub as_text: bool,
    pub errors: Vec<ErrorDetail>,
}

/// A change set as requested.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequestedChangeSet {
    pub name: Option<String>,
    pub token: Option<String>,
    pub changes: Vec<RequestedChange>,
}

/// A change as requested.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequestedChange {
    pub change_type: String,
    pub entity_type: String,
    /// An entity's id, with or without `@` and its revision, or `$name.Entity.Identifier` of a change that creates one.
    pub identifier: Option<String>,
    pub name: Option<String>,
    pub details: Value,
    pub as_text: bool,
}

/// The progress of a change set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Progress {
    /// The change set is applied and ends at fixed times of the clock.
    Scheduled {
        applying: Timestamp,
        ends: Timestamp,
    },
    /// The change set keeps its status until a control call ends that: AWS reviews it manually, or it hangs.
    Waiting(Status),
    Ended {
        at: Timestamp,
        outcome: Outcome,
    },
}

/// The outcome of a change set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Succeeded,
    Cancelled,
    Failed(Failure),
}

/// The reason for which a change set has failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub code: FailureCode,
    /// The error of the first change, if no change has an error of its own, or the error of the whole change set if the
    /// failure is AWS's.
    pub detail: Option<ErrorDetail>,
}

/// The side at fault for the failure of a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    /// The caller: the changes have errors.
    ClientError,
    /// AWS: the same request may succeed later.
    ServerFault,
}

impl FailureCode {
    /// Returns the code in the form of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ClientError => "CLIENT_ERROR",
            Self::ServerFault => "SERVER_FAULT",
        }
    }
}

/// The status of a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// AWS checks the changes, and they can be cancelled.
    Preparing,
    /// The changes are in progress.
    Applying,
    /// All changes are applied.
    Succeeded,
    /// No change is applied, as the caller requested.
    Cancelled,
    /// No change is applied.
    Failed,
}

impl Status {
    /// All statuses.
    pub(crate) const ALL: [Self; 5] = [Self::Preparing, Self::Applying, Self::Succeeded, Self::Cancelled, Self::Failed];

    /// Returns the status in the form of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "PREPARING",
            Self::Applying => "APPLYING",
            Self::Succeeded => "SUCCEEDED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }
}

impl ChangeSet {
    pub(crate) fn status(&self, now: Timestamp) -> Status {
        match &self.progress {
            Progress::Scheduled { applying, .. } if now < *applying => Status::Preparing,
            Progress::Scheduled { .. } => Status::Applying,
            Progress::Waiting(status) => *status,
            Progress::Ended { outcome: Outcome::Succeeded, .. } => Status::Succeeded,
            Progress::Ended { outcome: Outcome::Cancelled, .. } => Status::Cancelled,
            Progress::Ended { outcome: Outcome::Failed(_), .. } => Status::Failed,
        }
    }

    /// Returns the time at which it ended; `None` if it has not ended.
    pub(crate) fn ended(&self) -> Option<Timestamp> {
        match &self.progress {
            Progress::Ended { at, .. } => Some(*at),
            Progress::Scheduled { .. } | Progress::Waiting(_) => None,
        }
    }

    /// Returns the reason for its failure; `None` if it has not failed.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.progress {
            Progress::Ended { outcome: Outcome::Failed(failure), .. } => Some(failure),
            Progress::Ended { .. } | Progress::Scheduled { .. } | Progress::Waiting(_) => None,
        }
    }

    /// Returns `true` if it has not ended and so locks its entities for every other change set.
    pub(crate) fn is_open(&self) -> bool {
        self.ended().is_none()
    }

    /// Returns `true` if it changes the entity.
    pub(crate) fn changes_entity(&self, entity: &str) -> bool {
        self.changes.iter().any(|change| change.entity == entity)
    }

    /// Returns the ids of its entities, each once.
    pub(crate) fn entities(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.changes.iter().map(|change| change.entity.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
