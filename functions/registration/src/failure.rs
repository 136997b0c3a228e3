//! Every error of a registration, and the one place that turns it into an answer.
//!
//! A [`Failure`] is what happened; [`Failed`] adds the listing, once it is known, so that the page can name its support.
//! A handler returns it, and `finished` renders it. The code of a failure is stable: it stands on the page, in the
//! `x-stallkeeper-code` header, in the problem document and in the log.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use domain::ids::ProductCode;
use domain::listing::Listing;
use domain::registration::NoRandomness;
use http::{HeaderName, HeaderValue, StatusCode, header};
use lambda::http::gateway::InvalidEvent;
use lambda::http::{BodyError, Problem};
use marketplace::{MarketplaceError, ResolveError};
use store::StoreError;

use crate::preferences::Preferences;
use crate::texts::texts;
use crate::view::{self, NextStep};
use domain::language::Language;

/// The header with the code of a failure.
pub(crate) const CODE: HeaderName = HeaderName::from_static("x-stallkeeper-code");

/// The cause of an answer that is not what the buyer asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the registration token is missing")]
    TokenMissing,
    #[error("the registration token is not valid")]
    TokenInvalid,
    #[error("the registration token has expired")]
    TokenExpired,
    #[error("this stack has no listing of the product {0}")]
    ProductUnknown(ProductCode),
    /// AWS resolved the token to a purchase without an account or key, or with a key that the listing's `mode` does not
    /// use. The status is 502, since the buyer can do nothing: AWS's answer and this stack's listing do not match.
    #[error("the purchase of {0} has no key of the kind that the listing's mode requires")]
    PurchaseIncomplete(ProductCode),
    #[error("AWS Marketplace did not resolve the token")]
    AwsUnavailable(#[source] MarketplaceError),
    #[error("AWS Marketplace refused the request of this stack")]
    Misconfigured(#[source] MarketplaceError),
    #[error("the request has no session")]
    SessionMissing,
    #[error("the form belongs to another session or license")]
    FormStale,
    #[error("the form came from another site")]
    CrossSite,
    #[error("the form is too large")]
    BodyTooLarge,
    #[error("the form cannot be read")]
    BodyUnreadable(#[source] Box<dyn Error + Send + Sync>),
    /// A form has a field with a value that none of our pages sends.
    #[error("the value of the field {0} is unknown")]
    FieldUnreadable(&'static str),
    #[error("the table or the random source does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the path does not exist")]
    RouteUnknown,
    #[error("the method is not allowed for this path")]
    MethodNotAllowed,
}

impl Failure {
    /// Every code that there is.
    #[cfg(test)]
    pub(crate) const CODES: [&str; 15] = [
        "token_missing",
        "token_invalid",
        "token_expired",
        "product_unknown",
        "purchase_incomplete",
        "aws_unavailable",
        "misconfigured",
        "session_missing",
        "form_stale",
        "cross_site",
        "body_too_large",
        "body_unreadable",
        "unavailable",
        "route_unknown",
        "method_not_allowed",
    ];

    /// Returns the stable code, the status, and the next step of the buyer.
    fn kind(&self) -> (&'static str, StatusCode, NextStep) {
        match self {
            Self::TokenMissing => ("token_missing", StatusCode::BAD_REQUEST, NextStep::Marketplace),
            Self::TokenInvalid => ("token_invalid", StatusCode::BAD_REQUEST, NextStep::Marketplace),
            Self::TokenExpired => ("token_expired", StatusCode::GONE, NextStep::Marketplace),
            Self::ProductUnknown(_) => ("product_unknown", StatusCode::NOT_FOUND, NextStep::None),
            Self::PurchaseIncomplete(_) => ("purchase_incomplete", StatusCode::BAD_GATEWAY, NextStep::None),
            Self::AwsUnavailable(_) => ("aws_unavailable", StatusCode::SERVICE_UNAVAILABLE, NextStep::None),
            Self::Misconfigured(_) => ("misconfigured", StatusCode::SERVICE_UNAVAILABLE, NextStep::None),
            Self::SessionMissing => ("session_missing", StatusCode::BAD_REQUEST, NextStep::Marketplace),
            Self::FormStale => ("form_stale", StatusCode::CONFLICT, NextStep::Register),
            Self::CrossSite => ("cross_site", StatusCode::FORBIDDEN, NextStep::Register),
            Self::BodyTooLarge => ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, NextStep::None),
            Self::BodyUnreadable(_) | Self::FieldUnreadable(_) => {
                ("body_unreadable", StatusCode::BAD_REQUEST, NextStep::None)
            }
            Self::Unavailable(_) => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, NextStep::None),
            Self::RouteUnknown => ("route_unknown", StatusCode::NOT_FOUND, NextStep::Register),
            Self::MethodNotAllowed => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, NextStep::Register),
        }
    }

    /// Returns the seconds after which the same request may succeed, if waiting helps.
    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::AwsUnavailable(_) | Self::Unavailable(_) => Some(5),
            Self::Misconfigured(_) => Some(300),
            Self::TokenMissing
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::ProductUnknown(_)
            | Self::PurchaseIncomplete(_)
            | Self::SessionMissing
            | Self::FormStale
            | Self::CrossSite
            | Self::BodyTooLarge
            | Self::BodyUnreadable(_)
            | Self::FieldUnreadable(_)
            | Self::RouteUnknown
            | Self::MethodNotAllowed => None,
        }
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Expired => Self::TokenExpired,
            ResolveError::Invalid => Self::TokenInvalid,
            ResolveError::Incomplete(product) => Self::PurchaseIncomplete(product),
            ResolveError::Marketplace(MarketplaceError::Refused { code }) => match code.as_str() {
                // The token is all that the call is given, so it is the token that AWS finds malformed.
                "ValidationException" | "InvalidParameterException" => Self::TokenInvalid,
                _ => Self::Misconfigured(MarketplaceError::Refused { code }),
            },
            ResolveError::Marketplace(error @ (MarketplaceError::Throttled | MarketplaceError::Unavailable(_))) => {
                Self::AwsUnavailable(error)
            }
        }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::Incomplete | BodyError::NotText | BodyError::WrongType(_) => Self::BodyUnreadable(error.into()),
        }
    }
}

impl From<InvalidEvent> for Failure {
    fn from(invalid: InvalidEvent) -> Self {
        match invalid {
            InvalidEvent::BodyNotBase64 => Self::BodyUnreadable(invalid.into()),
            InvalidEvent::PathNotNormal | InvalidEvent::UrlInvalid => Self::RouteUnknown,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<NoRandomness> for Failure {
    fn from(error: NoRandomness) -> Self {
        Self::Unavailable(error.into())
    }
}

/// A failure, with the listing of the buyer who met it.
#[derive(Debug)]
pub(crate) struct Failed {
    why: Box<Failure>,
    listing: Option<Box<Listing>>,
}

impl<E: Into<Failure>> From<E> for Failed {
    fn from(why: E) -> Self {
        Self { why: Box::new(why.into()), listing: None }
    }
}

impl IntoResponse for Failed {
    /// Leaves the failure in the response, which has no page yet.
    fn into_response(self) -> Response {
        let (_, status, _) = self.why.kind();
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl Failed {
    /// Creates a failure that a buyer of that listing met.
    pub(crate) fn of(listing: &Listing, why: impl Into<Failure>) -> Self {
        Self { why: Box::new(why.into()), listing: Some(Box::new(listing.clone())) }
    }

    /// Takes the failure out of the response that a handler returned, if it returned one.
    pub(crate) fn take(response: &mut Response) -> Option<Arc<Self>> {
        response.extensions_mut().remove()
    }

    /// Logs the failure, and renders it as a page or a problem document.
    pub(crate) fn answer(&self, Preferences { language, prefers_json }: Preferences) -> Response {
        self.log();
        let (code, status, next_step) = self.why.kind();
        let mut response = if prefers_json {
            self.document(language).into_response()
        } else {
            view::problem(status, code, next_step, language, self.listing.as_deref())
        };
        response.headers_mut().insert(CODE, HeaderValue::from_static(code));
        if let Some(seconds) = self.why.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    fn document(&self, language: Language) -> Problem {
        let (code, status, _) = self.why.kind();
        let texts = texts(language);
        let action = texts.say(&format!("problem-{code}.action"));
        let action = match &self.listing {
            Some(listing) => {
                let support = texts.say_of("support-of-product", &listing.name);
                format!("{action} {support} {}", listing.support.email)
            }
            None => format!("{action} {}", texts.say("support-of-seller")),
        };
        Problem::new(status, code, texts.say(&format!("problem-{code}")))
            .detail(texts.say(&format!("problem-{code}.explanation")))
            .action(action)
    }

    /// Logs an error if an operator must act, a warning if a retry may help, and otherwise what the buyer must correct.
    fn log(&self) {
        let (code, status, _) = self.why.kind();
        let product = self.listing.as_ref().map(|listing| listing.product_code.as_str());
        let error = causes(&*self.why);
        let counter = "registration_failed";
        match &*self.why {
            Failure::Misconfigured(_) | Failure::PurchaseIncomplete(_) => {
                tracing::error!(code, product, error, counter, "Registration failed; an operator must fix the setup");
            }
            _ if status.is_server_error() => {
                tracing::warn!(code, product, error, counter, "Registration failed; the buyer must try again");
            }
            _ => tracing::info!(code, product, error, counter, "Refused a request of a buyer"),
        }
    }
}

/// Returns an error and its causes, down to the SDK's name for it, which has AWS's code. Not further: the message of a
/// service may repeat its input, which was the token.
fn causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source()).take(4);
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
