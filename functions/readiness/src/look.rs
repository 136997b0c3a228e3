//! How AWS is looked at: each source has its time, and what it does not answer is told by its reason.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use stallkeeper::marketplace::MarketplaceError;
use stallkeeper::readiness::{Blind, Look, word};
use stallkeeper::store::StoreError;
use tokio::time::{Instant, timeout, timeout_at};

/// How long one source may take. The client's own limit of an attempt is 5 seconds, so that a second one is made, and of
/// all its attempts 10: this one comes before, for it tells what came too late from what was not answered.
const SOURCE_TIMEOUT: Duration = Duration::from_millis(9_500);

/// AWS's codes for "you may not".
const REFUSALS: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "NotAuthorized",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredTokenException",
];

/// Why a source did not answer.
pub(crate) trait Excuse {
    /// As the auditor tells it, of a source and of the action that asks it.
    fn blind(&self, what: &str, action: &str) -> Blind;
}

impl<E, R> Excuse for SdkError<E, R>
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    fn blind(&self, what: &str, action: &str) -> Blind {
        match (self.code(), self) {
            (Some(code), _) if REFUSALS.contains(&code) => Blind::Forbidden { action: action.to_owned() },
            (_, Self::TimeoutError(_)) => Blind::TimedOut { what: what.to_owned() },
            (code, _) => Blind::Unreachable {
                what: what.to_owned(),
                reason: code.map_or_else(|| word::NO_ANSWER.to_owned(), str::to_owned),
            },
        }
    }
}

impl Excuse for MarketplaceError {
    fn blind(&self, what: &str, action: &str) -> Blind {
        match self {
            Self::Refused { code } if REFUSALS.contains(&code.as_str()) => {
                Blind::Forbidden { action: action.to_owned() }
            }
            Self::Refused { code } => Blind::Unreachable { what: what.to_owned(), reason: code.clone() },
            Self::Throttled => Blind::Unreachable { what: what.to_owned(), reason: word::TOO_MANY.to_owned() },
            Self::Unavailable(_) => Blind::Unreachable { what: what.to_owned(), reason: word::NO_ANSWER.to_owned() },
        }
    }
}

impl Excuse for StoreError {
    fn blind(&self, what: &str, _: &str) -> Blind {
        let reason = match self {
            Self::Unavailable(_) => word::NO_ANSWER.to_owned(),
            Self::Contended(_) | Self::Unreadable { .. } | Self::BadCursor => self.to_string(),
        };
        Blind::Unreachable { what: what.to_owned(), reason }
    }
}

/// Asks a source for what an action of IAM allows, within its time.
pub(crate) fn look<T, E: Excuse>(
    what: &str,
    action: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Look<T>> {
    // On the heap: many are asked at once, and a question to AWS is larger than a thread's stack likes.
    let asked = timeout(SOURCE_TIMEOUT, Box::pin(asked));
    async move {
        match asked.await {
            Ok(answer) => answer.map_err(|error| error.blind(what, action)),
            Err(_) => Err(Blind::TimedOut { what: what.to_owned() }),
        }
    }
}

/// A look that takes more than one, over at a moment that is the same for all.
pub(crate) async fn within<T>(until: Instant, what: &str, look: impl Future<Output = Look<T>>) -> Look<T> {
    timeout_at(until, look).await.unwrap_or_else(|_| Err(Blind::TimedOut { what: what.to_owned() }))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_look_that_takes_several_is_over_with_all() {
        let (began, until) = (Instant::now(), Instant::now() + SOURCE_TIMEOUT);
        let late: Look<()> = within(until, "the catalog", pending()).await;
        assert_eq!(late, Err(Blind::TimedOut { what: "the catalog".to_owned() }));
        assert_eq!(began.elapsed(), SOURCE_TIMEOUT);
        assert_eq!(within(until, "the catalog", ready(Ok(1))).await, Ok(1));
    }
}
