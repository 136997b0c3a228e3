//! The clients of AWS Marketplace.
//!
//! Each answers in the domain's own types and says of a failure what its caller can do about it.

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

pub use agreement::{AgreementAtAws, AgreementPage, Agreements, FoundAgreement};
pub use catalog::{
    Catalog, DeliveryOptionAtAws, DimensionAtAws, EulaAtAws, Life, OfferAtAws, PriceAtAws, ProductAtAws, PublicRequest,
};
pub use entitlement::Grants;
pub use metering::ResolveError;

use outcomes::Outcomes;

/// AWS Marketplace, as the functions speak to it. Each of its clients is built with its first call: no function needs all
/// three from its start on.
#[derive(Debug, Clone)]
pub struct Marketplace {
    config: SdkConfig,
    metering: OnceLock<aws_sdk_marketplacemetering::Client>,
    entitlement: OnceLock<aws_sdk_marketplaceentitlement::Client>,
    agreement: OnceLock<aws_sdk_marketplaceagreement::Client>,
    outcomes: Outcomes,
}

impl Marketplace {
    /// Clients that share one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
            metering: OnceLock::new(),
            entitlement: OnceLock::new(),
            agreement: OnceLock::new(),
            outcomes: Outcomes::default(),
        }
    }

    /// Whether AWS let this stack do what it was asked since this was last called, by the action as IAM names it. One that
    /// was allowed once was: what was refused beside it is about one resource.
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

/// Why AWS Marketplace did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum MarketplaceError {
    /// Too many requests: later.
    #[error("AWS Marketplace asks to slow down")]
    Throttled,
    /// This stack or its product is not set up for the call; an operator must mend it.
    #[error("AWS Marketplace refuses this stack: {code}")]
    Refused {
        /// AWS's error code.
        code: String,
    },
    /// No answer, an answer that cannot be read, or an error that is not known: later.
    #[error("AWS Marketplace did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads a failed call. An error that is not known is taken to be passing.
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

/// AWS answered something that its documentation does not allow.
#[derive(Debug, thiserror::Error)]
#[error("AWS Marketplace's answer has {0}")]
struct OddAnswer(String);

fn odd(what: impl std::fmt::Display) -> MarketplaceError {
    MarketplaceError::Unavailable(Box::new(OddAnswer(what.to_string())))
}
