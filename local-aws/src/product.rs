//! The products that can be bought, as the host describes them.

use std::collections::BTreeSet;

use marketplace_ids::{DimensionKey, ProductCode, ProductId};
use rust_decimal::Decimal;
use serde::Serialize;
use url::Url;

/// The account that owns the SNS topics of all legacy products.
const TOPICS_ACCOUNT: &str = "287250355862";

/// A SaaS product on AWS Marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The product code, which tokens, events and metering name.
    pub code: ProductCode,
    /// The id of its entity in the Catalog API.
    pub id: ProductId,
    /// The title.
    pub name: String,
    /// The key under which AWS identifies and bills its buyers.
    pub buyer_key: BuyerKey,
    /// The pricing model.
    pub pricing: Pricing,
    /// The dimensions that it prices.
    pub dimensions: Vec<Dimension>,
    /// The fulfillment URL in the catalog, to which a buyer's browser posts the registration token.
    pub fulfillment_url: String,
    /// The rest of its page in the catalog.
    pub page: ProductPage,
}

/// The key under which AWS identifies and bills the buyers of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuyerKey {
    /// The license ARN, for concurrent agreements, with events over EventBridge. Every product listed since June 2026.
    License,
    /// The customer identifier, with notifications over SNS. Legacy products.
    Customer,
}

/// The pricing model of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pricing {
    /// Paid in advance: entitlements, no metering.
    Contract,
    /// Paid by use: metering, no entitlements.
    Subscription,
    /// A contract whose consumption beyond it is metered.
    ContractWithConsumption,
}

impl Pricing {
    /// Returns `true` if AWS holds entitlements for buyers of this pricing model.
    pub fn has_entitlements(self) -> bool {
        match self {
            Self::Contract | Self::ContractWithConsumption => true,
            Self::Subscription => false,
        }
    }
}

/// A unit that a product prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// The key.
    pub key: DimensionKey,
    /// The name that buyers read.
    pub name: String,
    /// The description for buyers; the name if `None`.
    pub description: Option<String>,
    /// The unit of measure, for example `Users`; `Units` if `None`.
    pub unit: Option<String>,
    /// The pricing types.
    pub types: BTreeSet<DimensionType>,
    /// The price of a unit in USD: for twelve months if it is entitled, otherwise for each metered unit.
    pub price: Decimal,
}

impl Dimension {
    /// Returns `true` if the seller reports usage of it, or AWS meters it.
    pub fn is_metered(&self) -> bool {
        self.types.iter().any(|kind| match kind {
            DimensionType::Metered | DimensionType::ExternallyMetered => true,
            DimensionType::Entitled => false,
        })
    }

    /// Returns `true` if buyers hold an amount of it.
    pub fn is_entitled(&self) -> bool {
        self.types.contains(&DimensionType::Entitled)
    }
}

/// The catalog's type of a dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum DimensionType {
    /// Bought in advance.
    Entitled,
    /// Metered by AWS itself.
    Metered,
    /// Metered by the seller's reports.
    ExternallyMetered,
}

/// The page of a product in the catalog, apart from its name and its dimensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductPage {
    /// The logo; a placeholder if `None`.
    pub logo: Option<Url>,
    /// The page about the product on the seller's site.
    pub about: Option<Url>,
    /// The text about support.
    pub support: String,
}

impl Product {
    /// Returns the dimension with a key.
    pub fn dimension(&self, key: &DimensionKey) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.key == *key)
    }

    /// Returns the ARNs of AWS's topics about the product; only legacy products have any.
    pub fn topics(&self) -> Vec<String> {
        match self.buyer_key {
            BuyerKey::License => Vec::new(),
            BuyerKey::Customer if self.pricing.has_entitlements() => {
                vec![self.topic(Topic::Subscription), self.topic(Topic::Entitlement)]
            }
            BuyerKey::Customer => vec![self.topic(Topic::Subscription)],
        }
    }

    /// Returns the ARN of a topic of the product.
    pub(crate) fn topic(&self, topic: Topic) -> String {
        let name = match topic {
            Topic::Subscription => "aws-mp-subscription-notification",
            Topic::Entitlement => "aws-mp-entitlement-notification",
        };
        format!("arn:aws:sns:us-east-1:{TOPICS_ACCOUNT}:{name}-{}", self.code)
    }
}

/// The two topics of a legacy product.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Topic {
    Subscription,
    Entitlement,
}
