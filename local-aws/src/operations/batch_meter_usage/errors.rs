//! The errors that several parts of the operation return.

use crate::error::ServiceError;
use crate::input::BadInput;

/// Returns the common validation error: the model has no error of its own for input that breaks its rules.
pub(super) fn malformed(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError::validation(bad.sentence()))
}

pub(super) fn invalid_license(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidLicenseException", 400, message)
}
