//! Queries to AWS: each source has a timeout, and a query that fails becomes a reason.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use marketplace::MarketplaceError;
use readiness_checks::{Observation, Unobserved, terms};
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

/// An error of a query, from which the auditor derives why a fact is unobserved.
pub(crate) trait ToUnobserved {
    /// Returns the reason that the auditor reports, for a source and the action that queries it.
    fn to_unobserved(&self, source: &str, action: &str) -> Unobserved;
}

impl<E, R> ToUnobserved for SdkError<E, R>
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    fn to_unobserved(&self, source: &str, action: &str) -> Unobserved {
        match (self.code(), self) {
            (Some(code), _) if REFUSALS.contains(&code) => Unobserved::Forbidden { action: action.to_owned() },
            (_, Self::TimeoutError(_)) => Unobserved::TimedOut { source: source.to_owned() },
            (code, _) => Unobserved::Unreachable {
                source: source.to_owned(),
                reason: code.map_or_else(|| terms::NO_ANSWER.to_owned(), str::to_owned),
            },
        }
    }
}

impl ToUnobserved for MarketplaceError {
    fn to_unobserved(&self, source: &str, action: &str) -> Unobserved {
        match self {
            Self::Refused { code } if REFUSALS.contains(&code.as_str()) => {
                Unobserved::Forbidden { action: action.to_owned() }
            }
            Self::Refused { code } => Unobserved::Unreachable { source: source.to_owned(), reason: code.clone() },
            Self::Throttled => {
                Unobserved::Unreachable { source: source.to_owned(), reason: terms::TOO_MANY_REQUESTS.to_owned() }
            }
            Self::Unavailable(_) => {
                Unobserved::Unreachable { source: source.to_owned(), reason: terms::NO_ANSWER.to_owned() }
            }
        }
    }
}

impl ToUnobserved for StoreError {
    fn to_unobserved(&self, source: &str, _: &str) -> Unobserved {
        let reason = match self {
            Self::Unavailable(_) => terms::NO_ANSWER.to_owned(),
            Self::Contended(_) | Self::Unreadable { .. } | Self::BadCursor => self.to_string(),
        };
        Unobserved::Unreachable { source: source.to_owned(), reason }
    }
}

/// Queries a source within its timeout. `action` is the IAM action that allows the query.
pub(crate) fn observe<T, E: ToUnobserved>(
    source: &str,
    action: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Observation<T>> {
    // Boxed: many queries run concurrently, and the future of an AWS call is larger than a thread's stack should hold.
    let asked = timeout(SOURCE_TIMEOUT, Box::pin(asked));
    async move {
        match asked.await {
            Ok(answer) => answer.map_err(|error| error.to_unobserved(source, action)),
            Err(_) => Err(Unobserved::TimedOut { source: source.to_owned() }),
        }
    }
}

/// Runs a query of several calls, until a deadline that all such queries share.
pub(crate) async fn within<T>(
    until: Instant,
    source: &str,
    query: impl Future<Output = Observation<T>>,
) -> Observation<T> {
    timeout_at(until, query).await.unwrap_or_else(|_| Err(Unobserved::TimedOut { source: source.to_owned() }))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_query_of_several_calls_ends_at_the_shared_deadline() {
        let (start, until) = (Instant::now(), Instant::now() + SOURCE_TIMEOUT);
        let late: Observation<()> = within(until, "the catalog", pending()).await;
        assert_eq!(late, Err(Unobserved::TimedOut { source: "the catalog".to_owned() }));
        assert_eq!(start.elapsed(), SOURCE_TIMEOUT);
        assert_eq!(within(until, "the catalog", ready(Ok(1))).await, Ok(1));
    }
}
