//! The errors of the changes in a change set.

use aws_sdk_marketplacecatalog::types::ChangeSummary;
use serde::Serialize;

/// An error of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeError {
    /// The kind of change.
    pub change_type: String,
    /// AWS's error code.
    pub code: String,
    /// AWS's error message.
    pub message: String,
}

/// Returns the errors of a change.
pub(super) fn errors(change: &ChangeSummary) -> impl Iterator<Item = ChangeError> {
    let change_type = change.change_type().unwrap_or_default();
    change.error_detail_list().iter().map(move |error| ChangeError {
        change_type: change_type.to_owned(),
        code: error.error_code().unwrap_or_default().to_owned(),
        message: error.error_message().unwrap_or_default().to_owned(),
    })
}
