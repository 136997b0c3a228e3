//! The problems that only operations of this function answer with, as the API's contract declares them.

use lambda::problem_responses;

problem_responses! {
    /// The failures that only operations of this function have.
    pub(crate) Problems {
        /// The body is neither JSON nor CSV in UTF-8 with a header row.
        ContentTypeUnsupported = 415 ["content_type_unsupported"];
        /// The record is unknown.
        RecordUnknown = 404 ["record_unknown"];
        /// The record cannot be sent again, or no longer, or the stack sends nothing.
        RecordNotRequeueable = 409 ["record_not_requeueable", "record_changed", "window_closed", "reporter_dry_run"];
    }
}
