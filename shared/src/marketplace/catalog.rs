//! What AWS's catalog has of a product: the Catalog API's entities, and the client that asks for them.

mod change_sets;
mod client;
mod details;
mod plan;

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{MarketplaceError, odd, read_error};
use crate::ids::{AccountId, ProductId};
use crate::listing::DimensionType;

pub use change_sets::{ChangeError, ChangeSetAtAws, Failure, NotStarted, Status};
pub use client::Catalog;
pub use plan::{Change, ChangeSet, Difference, Plan, Target, plan};

// AWS Marketplace Seller Guide, "SaaS product lifecycle". It is read, never set here.
/// The visibility of a product on AWS Marketplace. `draft`: not visible yet. `limited`: visible to the accounts that
/// the seller names. `public`: visible to all. `restricted`: no longer for sale. `unknown`: a visibility that is
/// unknown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProductVisibility)]
pub enum Life {
    /// Being made; nobody sees it.
    Draft,
    /// Seen by the accounts that are named.
    Limited,
    /// Seen by all.
    Public,
    /// Taken from sale.
    Restricted,
    /// Something that is not known here.
    Unknown,
}

impl Life {
    /// Its name, as AWS has it.
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

/// A product at AWS (`SaaSProduct@1.0`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductAtAws {
    /// The entity's id.
    pub id: ProductId,
    /// Where it is in its life.
    pub life: Life,
    /// The product code; AWS gives it when the product is released.
    pub product_code: Option<String>,
    /// The title.
    pub title: String,
    /// The short description.
    pub short_description: String,
    /// The long description.
    pub long_description: String,
    /// The highlights.
    pub highlights: Vec<String>,
    /// The words by which it is found.
    pub search_keywords: Vec<String>,
    /// The categories.
    pub categories: Vec<String>,
    /// Where the logo is; empty without one.
    pub logo_url: String,
    /// What buyers read of support; empty without it.
    pub support: String,
    /// The units that are priced.
    pub dimensions: Vec<DimensionAtAws>,
    /// Where buyers are sent to register; those that are withdrawn are left out.
    pub delivery_options: Vec<DeliveryOptionAtAws>,
    /// Who may see it while it is limited.
    pub buyer_accounts: Vec<AccountId>,
}

/// A unit that is priced, as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionAtAws {
    /// Its key.
    pub key: String,
    /// What buyers read.
    pub name: String,
    /// What it means, for buyers.
    pub description: String,
    /// What one of it is.
    pub unit: String,
    /// How it is priced.
    pub types: BTreeSet<DimensionType>,
}

/// How buyers come from AWS Marketplace to the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryOptionAtAws {
    /// Its id, by which it is changed.
    pub id: String,
    /// Where buyers are sent to register.
    pub fulfillment_url: String,
}

/// An offer of a product (`Offer@1.0`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferAtAws {
    /// The entity's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// Whether it can be bought by it, and is no draft.
    pub is_released: bool,
    /// Whether it is for every buyer who sees the product: it names no accounts and is more than a trial.
    pub is_for_everyone: bool,
    /// Until when it can be bought by it; none for as long as it is there.
    pub available_until: Option<Timestamp>,
    /// Its license agreement.
    pub eula: Option<EulaAtAws>,
    /// What it says of refunds; empty without it.
    pub refund_policy: String,
    /// Its prices.
    pub prices: Vec<PriceAtAws>,
    /// The terms with its prices, whole, as the catalog has them.
    pub pricing_terms: Vec<Value>,
}

impl OfferAtAws {
    /// Whether every buyer who sees the product can buy by it now.
    pub fn is_public(&self, now: Timestamp) -> bool {
        self.is_released && self.is_for_everyone && self.available_until.is_none_or(|until| now < until)
    }
}

/// The license agreement of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EulaAtAws {
    /// AWS Marketplace's standard contract.
    Standard,
    /// The seller's own.
    Custom {
        /// Where it is; AWS may name its own copy.
        url: String,
    },
    /// Another kind.
    Other,
}

/// That AWS was asked to make a product public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRequest {
    /// When it was asked.
    pub at: Timestamp,
    /// What AWS said, if it refused; none while the request stands.
    pub refused: Option<String>,
}

/// What one unit costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceAtAws {
    /// The dimension's key.
    pub dimension: String,
    /// Of what is bought in advance: for how many months, where AWS says it so.
    pub months: Option<u8>,
    /// The currency, as ISO 4217 has it; empty where AWS does not say.
    pub currency: String,
    /// How much.
    pub amount: Decimal,
}
