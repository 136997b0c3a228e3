//! The record of what AWS allows the stack.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_marketplacemetering::error::{ProvideErrorMetadata, SdkError};

/// The actions that were allowed or refused since they were last taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcomes(Arc<Mutex<BTreeMap<&'static str, bool>>>);

impl Outcomes {
    /// Records the result of a call of an action.
    pub(super) fn record<T, E: ProvideErrorMetadata>(&self, action: &'static str, answer: &Result<T, SdkError<E>>) {
        if let Some(is_allowed) = is_allowed(answer) {
            let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *heard.entry(action).or_default() |= is_allowed;
        }
    }

    pub(super) fn take(&self) -> BTreeMap<&'static str, bool> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns `true` if an answer proves that the action is allowed, `false` if it proves that it is not, and `None` if it
/// proves neither.
fn is_allowed<T, E: ProvideErrorMetadata>(answer: &Result<T, SdkError<E>>) -> Option<bool> {
    let Err(error) = answer else { return Some(true) };
    let SdkError::ServiceError(refusal) = error else { return None };
    match refusal.err().code()? {
        "AccessDeniedException" => Some(false),
        // AWS did not identify or did not check the caller, so its permission is unknown. The last code is about a
        // security token or a registration token.
        "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "DisabledApiException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException" => None,
        _ => refusal.raw().status().is_client_error().then_some(true),
    }
}
