//! The contract of this part of the API. Nothing of it runs in the function.

use lambda::problem_responses;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::api;

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

#[derive(OpenApi)]
#[openapi(paths(api::show, api::audit, api::history, api::attest, api::withdraw), modifiers(&Problems))]
struct Contract;

/// Returns the contract of the function's operations.
pub fn contract() -> Document {
    Contract::openapi()
}
