//! A change set: what was asked to change, and how far it has come.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::start::RequestedChangeSet;
use super::{EntityKind, ErrorDetail};

/// What was asked to change together, all or nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChangeSet {
    pub id: String,
    pub name: String,
    pub started: Timestamp,
    pub changes: Vec<Change>,
    pub course: Course,
    /// How it fails whatever it asks, if a control call has said so.
    pub doom: Option<Failure>,
    /// As it was asked: the same with the same token is the same change set.
    pub asked: RequestedChangeSet,
}

/// One change of one entity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub kind: EntityKind,
    pub change_type: String,
    /// The entity's id, also of one that this change creates.
    pub entity: String,
    pub name: Option<String>,
    pub details: Value,
    /// Whether the details came as a text (`Details`) and not as a document (`DetailsDocument`).
    pub as_text: bool,
    pub errors: Vec<ErrorDetail>,
}

/// How a change set goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Course {
    /// By the clock.
    Runs {
        applying: Timestamp,
        ends: Timestamp,
    },
    /// It stays where it is until a control call ends that: AWS reviews it by hand, or it hangs.
    Waits(Status),
    Over {
        at: Timestamp,
        outcome: Outcome,
    },
}

/// How a change set has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Succeeded,
    Cancelled,
    Failed(Failure),
}

/// Why a change set has failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub code: FailureCode,
    /// What stands at the first change, if no change has an error of its own, or of the whole if the fault is AWS's.
    pub detail: Option<ErrorDetail>,
}

/// Whose fault it is that a change set has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    /// Who asked for it: the changes have errors.
    ClientError,
    /// AWS's: asked again it may succeed.
    ServerFault,
}

impl FailureCode {
    /// As the API has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ClientError => "CLIENT_ERROR",
            Self::ServerFault => "SERVER_FAULT",
        }
    }
}

/// How far a change set has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It is looked at, and can be cancelled.
    Preparing,
    /// It is being done.
    Applying,
    /// All of it is done.
    Succeeded,
    /// None of it is done, as was asked.
    Cancelled,
    /// None of it is done.
    Failed,
}

impl Status {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Preparing, Self::Applying, Self::Succeeded, Self::Cancelled, Self::Failed];

    /// As the API has it.
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
        match &self.course {
            Course::Runs { applying, .. } if now < *applying => Status::Preparing,
            Course::Runs { .. } => Status::Applying,
            Course::Waits(status) => *status,
            Course::Over { outcome: Outcome::Succeeded, .. } => Status::Succeeded,
            Course::Over { outcome: Outcome::Cancelled, .. } => Status::Cancelled,
            Course::Over { outcome: Outcome::Failed(_), .. } => Status::Failed,
        }
    }

    /// When it ended; none while it has not.
    pub(crate) fn ended(&self) -> Option<Timestamp> {
        match &self.course {
            Course::Over { at, .. } => Some(*at),
            Course::Runs { .. } | Course::Waits(_) => None,
        }
    }

    /// Why it failed; none if it has not.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.course {
            Course::Over { outcome: Outcome::Failed(failure), .. } => Some(failure),
            Course::Over { .. } | Course::Runs { .. } | Course::Waits(_) => None,
        }
    }

    /// Whether its entities are locked for every other.
    pub(crate) fn is_open(&self) -> bool {
        self.ended().is_none()
    }

    /// Whether it is about an entity.
    pub(crate) fn is_about(&self, entity: &str) -> bool {
        self.changes.iter().any(|change| change.entity == entity)
    }

    /// The ids of its entities, each once.
    pub(crate) fn entities(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.changes.iter().map(|change| change.entity.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
