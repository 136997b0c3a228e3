//! The contract of this part of the API. Nothing of it runs in the function.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::api;
use crate::problem_responses::Problems;

#[derive(OpenApi)]
#[openapi(paths(api::show, api::audit, api::history, api::attest, api::withdraw), modifiers(&Problems))]
struct Contract;

/// Returns the contract of the function's operations.
pub fn contract() -> Document {
    Contract::openapi()
}
