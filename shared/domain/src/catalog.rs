//! The products and offers in AWS's catalog, as the Catalog API describes them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::ids::{AccountId, ProductId};
use crate::listing::DimensionType;

// AWS Marketplace Seller Guide, "SaaS product lifecycle". It is read, never set here.
/// The visibility of a product on AWS Marketplace. `draft`: not visible yet. `limited`: visible to the accounts that
/// the seller names. `public`: visible to all. `restricted`: no longer for sale. `unknown`: a visibility that is
/// unknown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProductVisibility)]
pub enum Visibility {
    /// In preparation; no buyer sees it.
    Draft,
    /// Visible to the accounts that it names.
    Limited,
    /// Visible to all buyers.
    Public,
    /// Withdrawn from sale.
    Restricted,
    /// A state that is unknown here.
    Unknown,
}

impl Visibility {
    /// Returns the name that AWS uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Limited => "Limited",
            Self::Public => "Public",
            Self::Restricted => "Restricted",
            Self::Unknown => "Unknown",
        }
    }
}

/// A product in AWS (`SaaSProduct@1.0`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductAtAws {
    /// The entity's id.
    pub id: ProductId,
    /// The state in its lifecycle.
    pub visibility: Visibility,
    /// The product code; AWS assigns it when the product is released.
    pub product_code: Option<String>,
    /// The title.
    pub title: String,
    /// The short description.
    pub short_description: String,
    /// The long description.
    pub long_description: String,
    /// The highlights.
    pub highlights: Vec<String>,
    /// The search keywords.
    pub search_keywords: Vec<String>,
    /// The categories.
    pub categories: Vec<String>,
    /// The URL of the logo; empty if there is none.
    pub logo_url: String,
    /// The text about support; empty if there is none.
    pub support: String,
    /// The dimensions that are priced.
    pub dimensions: Vec<DimensionAtAws>,
    /// The options through which buyers register; withdrawn ones are left out.
    pub delivery_options: Vec<DeliveryOptionAtAws>,
    /// The accounts that may see it while it is limited.
    pub buyer_accounts: Vec<AccountId>,
}

/// A dimension that is priced, as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionAtAws {
    /// Its key.
    pub key: String,
    /// The name that buyers read.
    pub name: String,
    /// The description for buyers.
    pub description: String,
    /// The unit of measure.
    pub unit: String,
    /// The pricing types.
    pub types: BTreeSet<DimensionType>,
}

/// The path of buyers from AWS Marketplace to the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryOptionAtAws {
    /// The id, by which it is changed.
    pub id: String,
    /// The URL to which AWS Marketplace sends buyers to register.
    pub fulfillment_url: String,
}

/// An offer of a product (`Offer@1.0`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferAtAws {
    /// The entity's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The description.
    pub description: String,
    /// `true` if buyers can accept it: it is released, and not a draft.
    pub is_released: bool,
    /// `true` if it is for every buyer who sees the product: it names no accounts and is not only a trial.
    pub is_for_everyone: bool,
    /// The time until which buyers can accept it; `None` if it has no end.
    pub available_until: Option<Timestamp>,
    /// The license agreement.
    pub eula: Option<EulaAtAws>,
    /// The refund policy; empty if there is none.
    pub refund_policy: String,
    /// Its prices.
    pub prices: Vec<PriceAtAws>,
    /// The complete pricing terms, as the catalog has them.
    pub pricing_terms: Vec<Value>,
}

impl OfferAtAws {
    /// Returns `true` if every buyer who sees the product can accept the offer at `now`.
    pub fn is_public(&self, now: Timestamp) -> bool {
        self.is_released && self.is_for_everyone && self.available_until.is_none_or(|until| now < until)
    }
}

/// The license agreement of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EulaAtAws {
    /// AWS Marketplace's standard contract.
    Standard,
    /// The seller's own agreement.
    Custom {
        /// The URL of the document; AWS may name its own copy.
        url: String,
    },
    /// Another kind of agreement.
    Other,
}

/// A request to AWS to make a product public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRequest {
    /// The time of the request.
    pub at: Timestamp,
    /// AWS's reason, if it refused the request; `None` otherwise.
    pub refused: Option<String>,
}

/// The price of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceAtAws {
    /// The dimension's key.
    pub dimension: String,
    /// The length of the contract in months, for a dimension that is bought in advance, if AWS gives it in months.
    pub months: Option<u8>,
    /// The currency as an ISO 4217 code; empty if AWS names none.
    pub currency: String,
    /// The amount.
    pub amount: Decimal,
}
