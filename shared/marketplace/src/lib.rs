//! The clients of AWS Marketplace.
//!
//! Each client returns the domain's own types, and its errors show what the caller can do.

mod agreement;
mod batch_meter_usage;
pub mod catalog;
mod entitlement;
mod metering;
mod outcomes;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_sdk_marketplacemetering::error::{ProvideErrorMetadata, SdkError};

pub use agreement::{AgreementPage, Agreements, DescribedAgreement, FoundAgreement};
pub use catalog::Catalog;
pub use entitlement::Grants;
pub use metering::ResolveError;

use outcomes::Outcomes;

/// AWS Marketplace, as the functions call it. Each client is built on its first call: no function needs all three from
/// its start.
#[derive(Debug, Clone)]
pub struct Marketplace {
    config: SdkConfig,
    metering: OnceLock<aws_sdk_marketplacemetering::Client>,
    entitlement: OnceLock<aws_sdk_marketplaceentitlement::Client>,
    agreement: OnceLock<aws_sdk_marketplaceagreement::Client>,
    outcomes: Outcomes,
}

impl Marketplace {
    /// Creates clients that share one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
            metering: OnceLock::new(),
            entitlement: OnceLock::new(),
            agreement: OnceLock::new(),
            outcomes: Outcomes::default(),
        }
    }

    /// Returns `true` for each action that AWS allowed this stack since the last call, and `false` for each that it
    /// refused, by their IAM names. An action that was allowed once counts as allowed: a refusal beside that is about
    /// one resource.
    pub fn take_outcomes(&self) -> BTreeMap<&'static str, bool> {
        self.outcomes.take()
    }

    fn metering_client(&self) -> &aws_sdk_marketplacemetering::Client {
        self.metering.get_or_init(|| aws_sdk_marketplacemetering::Client::new(&self.config))
    }

    fn entitlement_client(&self) -> &aws_sdk_marketplaceentitlement::Client {
        self.entitlement.get_or_init(|| aws_sdk_marketplaceentitlement::Client::new(&self.config))
    }

    fn agreement_client(&self) -> &aws_sdk_marketplaceagreement::Client {
        self.agreement.get_or_init(|| aws_sdk_marketplaceagreement::Client::new(&self.config))
    }
}

/// The reason why AWS Marketplace did not fulfil a request.
#[derive(Debug, thiserror::Error)]
pub enum MarketplaceError {
    /// There were too many requests; try again later.
    #[error("AWS Marketplace throttled the request")]
    Throttled,
    /// This stack or its product is not set up for the call; an operator must fix that.
    #[error("AWS Marketplace refused the request of this stack: {code}")]
    Refused {
        /// AWS's error code.
        code: String,
    },
    /// There was no answer, an answer that cannot be read, or an unknown error; try again later.
    #[error("AWS Marketplace did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads a failed call. An unknown error counts as temporary.
fn read_error<E, R>(error: SdkError<E, R>) -> MarketplaceError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some("ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded") => {
            MarketplaceError::Throttled
        }
        Some(
            code @ ("AccessDeniedException"
            | "DisabledApiException"
            | "InvalidProductCodeException"
            | "InvalidParameterException"
            | "ValidationException"
            | "ResourceNotSupportedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"),
        ) => MarketplaceError::Refused { code: code.to_owned() },
        _ => MarketplaceError::Unavailable(Box::new(error)),
    }
}

/// An answer from AWS that its documentation does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the answer of AWS Marketplace is unexpected: {0}")]
struct UnexpectedResponse(String);

fn unexpected(what: impl std::fmt::Display) -> MarketplaceError {
    MarketplaceError::Unavailable(Box::new(UnexpectedResponse(what.to_string())))
}
