//! The contract of the seller's API (OpenAPI 3.1), generated from the types that its handlers read and answer.
//!
//! Each function declares its operations and its own [problems](crate::problem_responses); [`document`] puts them
//! together and adds what all operations have in common. This describes the API: no function runs it.

mod document;
mod headers;
mod problems;

use utoipa::IntoParams;

pub use document::{document, responses_of};
pub use headers::{NO_STORE, required_header};
pub use problems::{
    BodyInvalid, BodyTooLarge, CommonProblems, Failed, Forbidden, LicenseUnknown, ParameterInvalid, ProblemResponse,
    TooLarge, TooMany, Unavailable,
};

use domain::ids::{LicenseId, TenantId};

/// The license of a path.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct LicensePath {
    /// The license's id.
    #[param(example = "l-0123456789abcdef0123456789abcdef")]
    pub license: LicenseId,
}

/// The tenant of a path.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TenantPath {
    /// The tenant's id.
    #[param(example = "acme")]
    pub tenant: TenantId,
}
