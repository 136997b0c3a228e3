//! Queries to AWS: each source has a timeout, and a query that fails becomes a reason.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use marketplace::MarketplaceError;
use readiness_checks::{Blind, Look, word};
use store::StoreError;
use tokio::time::{Instant, timeout, timeout_at};

/// The time that one source may take. The AWS clients limit one attempt to 5 seconds, so that a second one is made, and
/// all attempts of a call to 10. This limit is shorter, so that a late answer is reported as a timeout and not as a
/// missing answer.
const SOURCE_TIMEOUT: Duration = Duration::from_millis(9_500);

/// The AWS error codes that refuse the caller.
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

/// An error that explains why a source did not answer.
pub(crate) trait Excuse {
    /// Returns the reason that the auditor reports, for a source and the action that queries it.
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

/// Queries a source within its timeout. `action` is the IAM action that allows the query.
pub(crate) fn look<T, E: Excuse>(
    what: &str,
    action: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Look<T>> {
    // Boxed: many queries run concurrently, and the future of an AWS call is larger than a thread's stack should hold.
    let asked = timeout(SOURCE_TIMEOUT, Box::pin(asked));
    async move {
        match asked.await {
            Ok(answer) => answer.map_err(|error| error.blind(what, action)),
            Err(_) => Err(Blind::TimedOut { what: what.to_owned() }),
        }
    }
}

/// Runs a query of several calls, until a deadline that all such queries share.
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
