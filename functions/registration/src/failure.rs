//! Everything that can go wrong on a buyer's way, and the one place that turns it into an answer.
//!
//! A [`Failure`] says what happened; [`Failed`] adds the listing, once it is known, so that the page can name its
//! support. The code of a failure is stable: it stands on the page, in the `x-stallkeeper-code` header, in the problem
//! document and in the log.

use std::error::Error;

use http::{HeaderName, StatusCode, header};
use stallkeeper::http::{BodyError, Problem, Response};
use stallkeeper::ids::ProductCode;
use stallkeeper::listing::Listing;
use stallkeeper::marketplace::{MarketplaceError, ResolveError};
use stallkeeper::registration::NoRandomness;
use stallkeeper::store::StoreError;

use crate::texts::{Language, texts};
use crate::view::{self, WayOn};

/// Carries the code of a failure.
pub(crate) const CODE: HeaderName = HeaderName::from_static("x-stallkeeper-code");

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no registration token came along")]
    TokenMissing,
    #[error("the registration token is not valid")]
    TokenInvalid,
    #[error("the registration token has expired")]
    TokenExpired,
    #[error("there is no listing of the product {0}")]
    ProductUnknown(ProductCode),
    /// AWS resolved the token to a purchase without an account or key, or keyed in the other style than the
    /// listing's `mode`. A 502, for the buyer can do nothing: AWS's answer and this stack's listing do not fit.
    #[error("the purchase of {0} lacks what the listing's mode needs")]
    PurchaseIncomplete(ProductCode),
    #[error("AWS Marketplace did not resolve the token")]
    AwsUnavailable(#[source] MarketplaceError),
    #[error("AWS Marketplace refuses this stack")]
    Misconfigured(#[source] MarketplaceError),
    #[error("there is no session")]
    SessionMissing,
    #[error("the form belongs to another session or license")]
    FormStale,
    #[error("the form came from another site")]
    CrossSite,
    #[error("the form is too large")]
    BodyTooLarge,
    #[error("the form cannot be read")]
    BodyUnreadable(#[source] BodyError),
    /// A form has a field with a value that none of our pages sends.
    #[error("the field {0} has no value that is known")]
    FieldUnreadable(&'static str),
    #[error("something that this stack rests on does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("there is nothing at this path")]
    RouteUnknown,
    #[error("the path takes {0}")]
    MethodNotAllowed(&'static str),
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

    /// The stable code, the status, and where the buyer goes on.
    fn kind(&self) -> (&'static str, StatusCode, WayOn) {
        match self {
            Self::TokenMissing => ("token_missing", StatusCode::BAD_REQUEST, WayOn::Marketplace),
            Self::TokenInvalid => ("token_invalid", StatusCode::BAD_REQUEST, WayOn::Marketplace),
            Self::TokenExpired => ("token_expired", StatusCode::GONE, WayOn::Marketplace),
            Self::ProductUnknown(_) => ("product_unknown", StatusCode::NOT_FOUND, WayOn::None),
            Self::PurchaseIncomplete(_) => ("purchase_incomplete", StatusCode::BAD_GATEWAY, WayOn::None),
            Self::AwsUnavailable(_) => ("aws_unavailable", StatusCode::SERVICE_UNAVAILABLE, WayOn::None),
            Self::Misconfigured(_) => ("misconfigured", StatusCode::SERVICE_UNAVAILABLE, WayOn::None),
            Self::SessionMissing => ("session_missing", StatusCode::BAD_REQUEST, WayOn::Marketplace),
            Self::FormStale => ("form_stale", StatusCode::CONFLICT, WayOn::Register),
            Self::CrossSite => ("cross_site", StatusCode::FORBIDDEN, WayOn::Register),
            Self::BodyTooLarge => ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, WayOn::None),
            Self::BodyUnreadable(_) | Self::FieldUnreadable(_) => {
                ("body_unreadable", StatusCode::BAD_REQUEST, WayOn::None)
            }
            Self::Unavailable(_) => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, WayOn::None),
            Self::RouteUnknown => ("route_unknown", StatusCode::NOT_FOUND, WayOn::Register),
            Self::MethodNotAllowed(_) => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, WayOn::Register),
        }
    }

    /// The seconds after which the same request may go through, where waiting mends it.
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
            | Self::MethodNotAllowed(_) => None,
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
            BodyError::NotBase64 | BodyError::NotText | BodyError::WrongType(_) => Self::BodyUnreadable(error),
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

/// A failure, with the listing whose buyer it met.
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

impl Failed {
    /// A failure that met a buyer of that listing.
    pub(crate) fn of(listing: &Listing, why: impl Into<Failure>) -> Self {
        Self { why: Box::new(why.into()), listing: Some(Box::new(listing.clone())) }
    }

    /// Writes it down, and makes the page or the problem document that answers it.
    pub(crate) fn answer(self, language: Language, as_json: bool) -> Response {
        self.log();
        let listing = self.listing.as_deref();
        let (code, status, way_on) = self.why.kind();
        let response = if as_json {
            let texts = texts(language);
            let action = match listing {
                Some(listing) => {
                    let support = texts.say_of("support-of-product", &listing.name);
                    format!("{} {support} {}", texts.say(&format!("problem-{code}.action")), listing.support.email)
                }
                None => {
                    format!("{} {}", texts.say(&format!("problem-{code}.action")), texts.say("support-of-seller"))
                }
            };
            Problem::new(status, code, texts.say(&format!("problem-{code}")))
                .detail(texts.say(&format!("problem-{code}.explanation")))
                .action(action)
                .into()
        } else {
            view::problem(status, code, way_on, language, listing)
        };
        let response = response.header(CODE, code);
        let response = match &*self.why {
            Failure::MethodNotAllowed(allowed) => response.header(header::ALLOW, allowed),
            _ => response,
        };
        match self.why.retry_after() {
            Some(seconds) => response.header(header::RETRY_AFTER, &seconds.to_string()),
            None => response,
        }
    }

    /// Level by who must act: an operator, nobody yet, or the buyer alone.
    fn log(&self) {
        let (code, status, _) = self.why.kind();
        let product = self.listing.as_ref().map(|listing| listing.product_code.as_str());
        let error = causes(&*self.why);
        let counter = "registration_failed";
        match &*self.why {
            Failure::Misconfigured(_) | Failure::PurchaseIncomplete(_) => {
                tracing::error!(code, product, error, counter, "an operator must mend this");
            }
            _ if status.is_server_error() => tracing::warn!(code, product, error, counter, "a buyer must try again"),
            _ => tracing::info!(code, product, error, counter, "a buyer was refused"),
        }
    }
}

/// An error and what caused it, down to the SDK's name for it, which has AWS's code. Not further: the message of a
/// service may repeat what it was sent, and that was the token.
fn causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source()).take(4);
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
