//! The metering service: ResolveCustomer.

use super::{Marketplace, MarketplaceError, read_error, unexpected};
use aws_sdk_marketplacemetering::operation::resolve_customer::{ResolveCustomerError, ResolveCustomerOutput};
use domain::ids::{InvalidId, ProductCode};
use domain::license::Resolved;

/// The reason why a registration token did not resolve.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The token has expired; the next "Set up your account" gives a new one.
    #[error("the registration token has expired")]
    Expired,
    /// AWS never issued this token.
    #[error("the registration token is not valid")]
    Invalid,
    /// AWS resolved it, but the answer lacks what identifies a purchase.
    #[error("the resolved purchase has no account, or neither a license nor a customer identifier")]
    Incomplete(ProductCode),
    /// See [`MarketplaceError`].
    #[error(transparent)]
    Marketplace(#[from] MarketplaceError),
}

impl Marketplace {
    /// Resolves a registration token (ResolveCustomer). The same token resolves to the same purchase until it expires.
    ///
    /// # Errors
    ///
    /// Fails when the token has expired or is not valid, when the purchase lacks what identifies it, or when AWS does
    /// not answer.
    pub async fn resolve_customer(&self, token: &str) -> Result<Resolved, ResolveError> {
        let answer = self.metering_client().resolve_customer().registration_token(token).send().await;
        self.outcomes.record("aws-marketplace:ResolveCustomer", &answer);
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(ResolveCustomerError::ExpiredTokenException(_)) => ResolveError::Expired,
            Some(ResolveCustomerError::InvalidTokenException(_)) => ResolveError::Invalid,
            _ => read_error(error).into(),
        })?;
        let product: ProductCode = answer.product_code().unwrap_or_default().parse().map_err(unexpected)?;
        match read(&answer, &product) {
            Ok(Some(resolved)) => Ok(resolved),
            Ok(None) => Err(ResolveError::Incomplete(product)),
            Err(invalid) => Err(unexpected(invalid).into()),
        }
    }
}

fn read(answer: &ResolveCustomerOutput, product: &ProductCode) -> Result<Option<Resolved>, InvalidId> {
    let account = answer.customer_aws_account_id().filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let arn = answer.license_arn().filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let customer = answer.customer_identifier().filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let agreement = answer.metadata().and_then(|metadata| metadata.agreement_id()).map(str::parse).transpose()?;
    Ok(account.map(|account| Resolved { product: product.clone(), account, arn, customer, agreement }))
}
