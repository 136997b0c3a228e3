//! The decisions of an operator or a test on the outcome of change sets.

use serde::Deserialize;

use super::change_set::{ChangeSet, Failure, FailureCode, Progress, Status};
use super::entity::ErrorDetail;

/// The outcome of the next change set, whatever its changes are; as JSON, for example `{"next": "server_fault"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case", deny_unknown_fields)]
pub enum NextChangeSet {
    /// It fails, and its first change has an error.
    ClientError {
        /// The error's code; INVALID_INPUT by default.
        #[serde(default)]
        code: Option<String>,
        /// The error's message.
        #[serde(default)]
        message: Option<String>,
    },
    /// It fails with a fault of AWS.
    ServerFault {},
    /// It stays PREPARING until it is decided or cancelled.
    HangPreparing {},
    /// It stays APPLYING until it is decided.
    HangApplying {},
}

/// The decision that ends a review or a change set that hangs; as JSON, for example `{"verdict": "reject", "message":
/// "No video"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The code of the error of a rejected change set; INVALID_INPUT by default.
    #[serde(default)]
    pub code: Option<String>,
    /// The error's message.
    #[serde(default)]
    pub message: Option<String>,
}

/// The verdict on a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The changes are applied now.
    Approve,
    /// The change set fails now.
    Reject,
}

/// Returns the failure of a change set that is rejected, with `standard` as its message if there is no other.
pub(super) fn rejection(code: Option<String>, message: Option<String>, standard: &str) -> Failure {
    let code = code.unwrap_or_else(|| "INVALID_INPUT".to_owned());
    let message = message.unwrap_or_else(|| standard.to_owned());
    Failure { code: FailureCode::ClientError, detail: Some(ErrorDetail { code, message }) }
}

impl NextChangeSet {
    pub(super) fn decide(self, change_set: &mut ChangeSet) {
        match self {
            Self::ClientError { code, message } => {
                change_set.force_failure(rejection(code, message, "The local AWS is set to refuse this change."));
            }
            Self::ServerFault {} => {
                let detail = ErrorDetail::new("INTERNAL", "An internal error occurred. Try again.");
                change_set.force_failure(Failure { code: FailureCode::ServerFault, detail: Some(detail) });
            }
            Self::HangPreparing {} => change_set.progress = Progress::Waiting(Status::Preparing),
            Self::HangApplying {} => change_set.progress = Progress::Waiting(Status::Applying),
        }
    }
}
