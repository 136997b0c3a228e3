//! Whether AWS lets the stack do what it asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_marketplacemetering::error::{ProvideErrorMetadata, SdkError};

/// What was allowed and refused since somebody last took it from here.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcomes(Arc<Mutex<BTreeMap<&'static str, bool>>>);

impl Outcomes {
    /// Hears what a call of an action came to.
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

/// Whether an answer proves that the action is allowed, or that it is not; none if it proves neither.
fn is_allowed<T, E: ProvideErrorMetadata>(answer: &Result<T, SdkError<E>>) -> Option<bool> {
    let Err(error) = answer else { return Some(true) };
    let SdkError::ServiceError(refusal) = error else { return None };
    match refusal.err().code()? {
        "AccessDeniedException" => Some(false),
        // Who asks was not made out, or not asked for: whether they may is open. The last is a security token's word
        // as well as a registration token's.
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
