//! The differences between a described listing and what AWS shows, as change sets of the Catalog API.
//!
//! Only described parts are changed, and nothing is removed that AWS shows and the listing does not describe. A
//! difference that cannot be changed this way is a hint.

mod compared;
mod offer;
mod prices;
mod product;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use url::Url;

use domain::catalog::{OfferAtAws, ProductAtAws, Visibility};
use domain::listing::Listing;

/// The change sets that make AWS show what is described.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    /// The change sets in order: each one requires that the one before has succeeded.
    pub change_sets: Vec<ChangeSet>,
    /// The differences that are not sent, each with the reason and what to do.
    pub hints: Vec<String>,
}

/// Changes that AWS makes together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeSet {
    /// The name that it has in the AWS Marketplace Management Portal.
    pub name: String,
    /// The changes, in the order in which they are made.
    pub changes: Vec<Change>,
}

/// A change of one entity, in the Catalog API's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The kind of change.
    pub change_type: &'static str,
    /// The entity that is changed.
    pub entity: Target,
    /// The details that AWS receives.
    pub details: Value,
    /// The differences that the operator sees.
    pub differences: Vec<Difference>,
}

/// The entity that a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The product with this id.
    Product(String),
    /// The offer with this id.
    Offer(String),
    /// The offer that this change set creates.
    NewOffer,
}

impl Target {
    /// Returns the entity type, with the version of the details.
    pub fn entity_type(&self) -> &'static str {
        match self {
            Self::Product(_) => "SaaSProduct@1.0",
            Self::Offer(_) | Self::NewOffer => "Offer@1.0",
        }
    }

    /// Returns the id; `None` for an entity that does not exist yet.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Product(id) | Self::Offer(id) => Some(id),
            Self::NewOffer => None,
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id().unwrap_or("new offer"))
    }
}

/// A difference between what AWS shows and what is described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The part that differs.
    pub what: String,
    /// The value that AWS shows; empty if it shows nothing.
    pub current: String,
    /// The described value.
    pub described: String,
}

impl Difference {
    fn of(what: impl Into<String>, current: impl Into<String>, described: impl Into<String>) -> Self {
        Self { what: what.into(), current: current.into(), described: described.into() }
    }
}

/// Plans the changes that make AWS show `listing`, whose stack has the registration URL `registration`.
pub fn plan(
    listing: &Listing,
    registration: &Url,
    product: &ProductAtAws,
    offers: &[OfferAtAws],
    now: Timestamp,
) -> Plan {
    let mut hints = Vec::new();
    if product.visibility == Visibility::Restricted {
        hints.push(
            "the product is Restricted: nobody can buy it, and nothing of it is changed. Make it visible again in the \
             portal first"
                .to_owned(),
        );
        return Plan { change_sets: Vec::new(), hints };
    }
    if let Some(code) = product.product_code.as_ref().filter(|code| **code != listing.product_code.as_str()) {
        hints.push(format!(
            "AWS gave the product the code {code}, which cannot be changed: put it into the listing's file in the place \
             of {}",
            listing.product_code
        ));
    }
    if listing.catalog.is_none() {
        hints.push(
            "what buyers read and pay is not described and not compared: add [catalog] to the listing's file \
             (listings/README.md)"
                .to_owned(),
        );
    }
    let of_product = product::changes(listing, registration, product, &mut hints);
    let of_offer = offer::changes(listing, product, offers, &of_product, now, &mut hints);
    let set = |what: &str, changes: Vec<Change>| {
        (!changes.is_empty()).then(|| ChangeSet { name: format!("Stallkeeper: {what} {}", product.id), changes })
    };
    let change_sets = [set("product", of_product.changes), set("offer of", of_offer)];
    Plan { change_sets: change_sets.into_iter().flatten().collect(), hints }
}

/// Returns a text with normalized line breaks and without surrounding blanks, both of which AWS or an editor may
/// change.
fn tidy(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

/// Returns `true` if a URL is that of AWS's own copy of a file, which says nothing about where the file came from.
fn is_copy_of_aws(url: &str) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.ends_with(".amazonaws.com") && (host.starts_with("awsmp-") || host.starts_with("aws-mp-"))
}
