//! The problems that only operations of this function answer with, as the API's contract declares them.

use lambda::problem_responses;

problem_responses! {
    /// The failures that only operations of this function have.
    pub(crate) Problems {
        /// The listing has no report yet.
        NoReportYet = 404 ["no_report_yet"];
        /// The check is unknown, or no attestation makes it pass.
        NotAttestable = 404 ["check_not_attestable"];
        /// The check is unknown, no attestation makes it pass, or it is not attested.
        NotAttested = 404 ["check_not_attestable", "attestation_unknown"];
    }
}
