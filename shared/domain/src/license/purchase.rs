//! Registration tokens: the purchase that a token proves.

use crate::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode};
use crate::listing::Mode;

/// The result of resolving a registration token with AWS. A product that is moving to license keys has both keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The product.
    pub product: ProductCode,
    /// The buyer's account.
    pub account: AccountId,
    /// The license's ARN.
    pub arn: Option<LicenseArn>,
    /// The buyer's key in a legacy product.
    pub customer: Option<CustomerIdentifier>,
    /// The agreement, if AWS named it.
    pub agreement: Option<AgreementId>,
}

impl Resolved {
    /// Returns the purchase under the key that the mode of its listing requires; `None` if AWS did not name that key.
    pub fn purchase(self, mode: Mode) -> Option<Purchase> {
        let Self { product, account, arn, customer, agreement } = self;
        match mode {
            Mode::License => {
                let arn = arn?;
                Some(Purchase {
                    license: arn.id().clone(),
                    product,
                    account,
                    arn: Some(arn),
                    customer: None,
                    agreement,
                })
            }
            Mode::Customer => {
                let customer = customer?;
                let license = LicenseId::legacy(&product, &customer);
                Some(Purchase { license, product, account, arn: None, customer: Some(customer), agreement })
            }
        }
    }
}

/// A purchase that a registration token proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The license.
    pub license: LicenseId,
    /// The product.
    pub product: ProductCode,
    /// The buyer's account.
    pub account: AccountId,
    /// The license's ARN, for a listing that is keyed by license.
    pub arn: Option<LicenseArn>,
    /// The buyer's key, for a listing that is keyed by customer.
    pub customer: Option<CustomerIdentifier>,
    /// The agreement, if AWS named it.
    pub agreement: Option<AgreementId>,
}
