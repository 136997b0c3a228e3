//! Failures of AWS calls, described for operators in one line, without the details of the SDK.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudformation::error::{ConnectorError, ErrorMetadata};
use domain::errors::chain;

/// The advice on how to get credentials.
pub(crate) const SIGN_IN: &str = "sign in (`aws sso login`), or set AWS_PROFILE to a profile; for the sandbox set the \
                                  variables that docs/SANDBOX.md names (AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any)";

/// The reason why an AWS call failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There are no credentials to sign with.
    NoCredentials(String),
    /// The endpoint does not answer.
    NoAnswer(String),
    /// AWS answers with an error code and a message.
    Refused { code: String, message: String },
    /// Anything else.
    Other(String),
}

impl Failure {
    /// Classifies an error by its causes.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let causes = || std::iter::successors(Some(error), |&error| Error::source(error));
        // The credentials provider chain lists in the lines after the first what each provider lacks.
        let root = causes().last().map(ToString::to_string).unwrap_or_default();
        let root = root.lines().next().unwrap_or_default().trim_end_matches(". Attempted:").to_owned();
        if causes().any(|cause| cause.is::<CredentialsError>()) {
            return Self::NoCredentials(root);
        }
        let is_unanswered = |error: &ConnectorError| error.is_io() || error.is_timeout();
        if causes().filter_map(|cause| cause.downcast_ref()).any(is_unanswered) {
            return Self::NoAnswer(root);
        }
        match causes().find_map(|cause| cause.downcast_ref::<ErrorMetadata>()) {
            Some(refusal) => Self::Refused {
                code: refusal.code().unwrap_or("an error without a code").to_owned(),
                message: refusal.message().unwrap_or("AWS gives no reason").to_owned(),
            },
            None => Self::Other(chain(error)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials(cause) => write!(f, "there are no credentials ({cause})"),
            Self::NoAnswer(cause) => write!(f, "it does not answer ({cause})"),
            Self::Refused { code, message } => write!(f, "{code}: {}", message.trim_end_matches('.')),
            Self::Other(chain) => f.write_str(chain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_the_sdk_are_left_out() {
        let providers = "no credentials found in chain. Attempted:\n  Environment: the environment variable is not set";
        let none = ConnectorError::other(CredentialsError::not_loaded(providers).into(), None);
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let denied = ErrorMetadata::builder().code("AccessDenied").message("You may not.").build();
        let cases: [(Box<dyn Error>, &str); 4] = [
            (Box::new(none), "there are no credentials (no credentials found in chain)"),
            (Box::new(ConnectorError::io(refused.into())), "it does not answer (connection refused)"),
            (Box::new(denied), "AccessDenied: You may not"),
            (Box::new(fmt::Error), "an error occurred when formatting an argument"),
        ];
        for (error, expected) in cases {
            assert_eq!(Failure::of(error.as_ref()).to_string(), expected);
        }
    }
}
