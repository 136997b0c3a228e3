//! The licenses and agreements of the buyers.

use std::collections::BTreeSet;

use domain::ids::{AccountId, AgreementId, DimensionKey, LicenseArn, LicenseId, ProductCode};
use domain::listing::Stage;
use jiff::Timestamp;

/// All buyers with their licenses and agreements.
#[derive(Debug, Default)]
pub struct Buyers {
    /// The current and former licenses, oldest first.
    pub holdings: Vec<Holding>,
    /// Every agreement, with the stage of its listing.
    pub agreements: Vec<(AgreementId, Stage)>,
    /// The agreements of renewals with a new license, whose buyers do not need to register again.
    pub unregistered: BTreeSet<AgreementId>,
    /// The times at which a license came into force, or came into force again, according to AWS's events.
    pub activations: BTreeSet<(LicenseId, Timestamp)>,
    /// The times at which a license ended, according to AWS's events.
    pub endings: BTreeSet<(LicenseId, Timestamp)>,
}

/// A license that a buyer has bought.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Its key: the license, or the customer key of a buyer who has one.
    pub license: LicenseId,
    /// The product.
    pub product: ProductCode,
    /// The listing's stage.
    pub stage: Stage,
    /// The ARN under which AWS bills it, or `None` for a customer key.
    pub arn: Option<LicenseArn>,
    /// The buyer.
    pub account: AccountId,
    /// The newest agreement that grants it.
    pub agreement: AgreementId,
    /// The metered dimensions.
    pub dimensions: Vec<DimensionKey>,
    /// The amount that its contract includes, if it is a contract. Changes of an agreement do not change this amount.
    pub included: Option<u32>,
    /// The time of the purchase.
    pub since: Timestamp,
    /// The license that the customer key moves to, once an import has planned that.
    pub move_to: Option<Move>,
    /// The tenants to which the application or an operator wanted to link it, the newest last.
    pub tenants: Vec<String>,
}

/// A planned move of a customer key to a license key.
#[derive(Debug, Clone)]
pub struct Move {
    /// The ARN of the license.
    pub arn: LicenseArn,
    /// The first moment that is billed under the license.
    pub at: Timestamp,
}

impl Holding {
    /// Returns the ids under which the product knows the buyer.
    pub fn ids(&self) -> impl Iterator<Item = &LicenseId> {
        std::iter::once(&self.license).chain(self.move_to.as_ref().map(|to| to.arn.id()))
    }

    /// Returns `true` if the buyer has a customer key.
    pub fn has_customer_key(&self) -> bool {
        self.license.is_legacy()
    }

    /// Returns the customer key of the buyer, or `None` for a license key.
    pub fn customer(&self) -> Option<&str> {
        self.license.as_str().split_once('~').map(|(_, customer)| customer)
    }
}

impl Buyers {
    /// Returns the holding with an id.
    pub fn holding(&self, id: &LicenseId) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.ids().any(|known| known == id))
    }

    /// Returns the holding with an id for modification.
    pub fn holding_mut(&mut self, id: &LicenseId) -> Option<&mut Holding> {
        self.holdings.iter_mut().find(|holding| holding.ids().any(|known| known == id))
    }

    /// Returns the single key of a buyer who is known by two ids.
    pub fn key_of(&self, id: &LicenseId) -> LicenseId {
        self.holding(id).map_or_else(|| id.clone(), |holding| holding.license.clone())
    }
}
