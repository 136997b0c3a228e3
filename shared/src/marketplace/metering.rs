//! The metering service: ResolveCustomer.

use aws_sdk_marketplacemetering::operation::resolve_customer::{ResolveCustomerError, ResolveCustomerOutput};

use super::{Marketplace, MarketplaceError, odd, read_error};
use crate::ids::{InvalidId, LicenseArn, LicenseId, ProductCode};
use crate::license::Purchase;

/// Why a registration token did not resolve.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The token's time is over; a new one comes with the next "Set up your account".
    #[error("the registration token has expired")]
    Expired,
    /// AWS never gave out this token.
    #[error("the registration token is not valid")]
    Invalid,
    /// AWS resolved it, but not to what a purchase has.
    #[error("the resolved purchase lacks what identifies it")]
    Incomplete(ProductCode),
    /// See [`MarketplaceError`].
    #[error(transparent)]
    Marketplace(#[from] MarketplaceError),
}

impl Marketplace {
    /// Resolves a registration token into the purchase that it proves (ResolveCustomer).
    ///
    /// The same token resolves to the same purchase until it expires. A purchase with a LicenseArn is of a product of
    /// the newer kind; one without is keyed by its CustomerIdentifier.
    ///
    /// # Errors
    ///
    /// Tells an expired and an invalid token apart from an AWS that does not answer.
    pub async fn resolve_customer(&self, token: &str) -> Result<Purchase, ResolveError> {
        let answer = self.metering.resolve_customer().registration_token(token).send().await.map_err(|error| {
            match error.as_service_error() {
                Some(ResolveCustomerError::ExpiredTokenException(_)) => ResolveError::Expired,
                Some(ResolveCustomerError::InvalidTokenException(_)) => ResolveError::Invalid,
                _ => read_error(error).into(),
            }
        })?;
        let product: ProductCode = answer.product_code().unwrap_or_default().parse().map_err(odd)?;
        match read_purchase(&answer, &product) {
            Ok(Some(purchase)) => Ok(purchase),
            Ok(None) => Err(ResolveError::Incomplete(product)),
            Err(invalid) => Err(odd(invalid).into()),
        }
    }
}

fn read_purchase(answer: &ResolveCustomerOutput, product: &ProductCode) -> Result<Option<Purchase>, InvalidId> {
    let account = answer.customer_aws_account_id().filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let arn: Option<LicenseArn> = answer.license_arn().filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let customer = answer.customer_identifier().filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let agreement = answer.metadata().and_then(|metadata| metadata.agreement_id()).map(str::parse).transpose()?;
    let license = match (&arn, &customer) {
        (Some(arn), _) => Some(arn.id().clone()),
        (None, Some(customer)) => Some(LicenseId::legacy(product, customer)),
        (None, None) => None,
    };
    Ok(license.zip(account).map(|(license, account)| Purchase {
        license,
        product: product.clone(),
        account,
        arn,
        customer,
        agreement,
    }))
}
