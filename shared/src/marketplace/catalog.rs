//! What AWS's catalog says of a product: entities of the Catalog API, as DescribeEntity answers them.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MarketplaceError, odd};
use crate::ids::{AccountId, ProductId};
use crate::listing::DimensionType;

/// Where a product is in its life (AWS Marketplace Seller Guide, "SaaS product lifecycle"). It is read, never set here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Where buyers are sent, of every delivery option that is not withdrawn.
    pub fulfillment_urls: Vec<String>,
    /// Who may see it while it is limited.
    pub buyer_accounts: Vec<AccountId>,
}

/// A unit that is priced, as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionAtAws {
    /// Its key.
    pub key: String,
    /// How it is priced.
    pub types: BTreeSet<DimensionType>,
}

/// An offer of a product (`Offer@1.0`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferAtAws {
    /// The entity's id.
    pub id: String,
    /// Whether it is released, and open to every buyer who sees the product and not only to accounts that it names.
    pub is_public: bool,
    /// Whether it has a license agreement.
    pub has_eula: bool,
    /// What it says of refunds; empty without it.
    pub refund_policy: String,
    /// Its prices.
    pub prices: Vec<PriceAtAws>,
}

/// What one unit costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceAtAws {
    /// The dimension's key.
    pub dimension: String,
    /// How much, in the offer's currency.
    pub amount: Decimal,
}

/// Reads an object; serde takes an array's elements for the fields of a struct as well.
fn read<T: DeserializeOwned>(what: &str, details: Value) -> Result<T, MarketplaceError> {
    if !details.is_object() {
        return Err(odd(format!("{what} without details")));
    }
    serde_json::from_value(details).map_err(|error| odd(format!("{what} with other details: {error}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProductDetails {
    #[serde(default)]
    description: Description,
    #[serde(default)]
    promotional_resources: PromotionalResources,
    #[serde(default)]
    support_information: SupportInformation,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    #[serde(default)]
    versions: Vec<Version>,
    #[serde(default)]
    targeting: Option<Targeting>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Description {
    product_title: Option<String>,
    product_code: Option<String>,
    short_description: Option<String>,
    long_description: Option<String>,
    highlights: Option<Vec<String>>,
    search_keywords: Option<Vec<String>>,
    categories: Option<Vec<String>>,
    visibility: Option<String>,
    product_state: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PromotionalResources {
    logo_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SupportInformation {
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    key: String,
    #[serde(default)]
    types: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(default)]
    delivery_options: Vec<DeliveryOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeliveryOption {
    fulfillment_url: Option<String>,
    visibility: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Targeting {
    positive_targeting: Option<PositiveTargeting>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PositiveTargeting {
    buyer_accounts: Option<Vec<AccountId>>,
}

impl ProductAtAws {
    /// Reads the details of a `SaaSProduct@1.0`. What a draft does not have yet is empty.
    ///
    /// # Errors
    ///
    /// When the details are not of that shape.
    pub fn read(id: ProductId, details: Value) -> Result<Self, MarketplaceError> {
        let details: ProductDetails = read("a product", details)?;
        let Description { visibility, product_state, .. } = &details.description;
        let life = match (visibility.as_deref(), product_state.as_deref()) {
            (Some("Public"), _) => Life::Public,
            (Some("Limited"), _) => Life::Limited,
            (Some("Restricted"), _) => Life::Restricted,
            (Some("Draft" | "Staging") | None, _) | (_, Some("Draft" | "Staging")) => Life::Draft,
            (Some(_), _) => Life::Unknown,
        };
        let options = details.versions.into_iter().flat_map(|version| version.delivery_options);
        let fulfillment_urls = options
            .filter(|option| !matches!(option.visibility.as_deref(), Some("Unavailable" | "Restricted")))
            .filter_map(|option| option.fulfillment_url)
            .collect();
        let dimensions = details.dimensions.into_iter().map(|dimension| DimensionAtAws {
            key: dimension.key,
            // Kinds that are not known here belong to other kinds of products.
            types: dimension.types.into_iter().filter_map(|kind| serde_json::from_value(kind).ok()).collect(),
        });
        let targeting = details.targeting.and_then(|targeting| targeting.positive_targeting);
        let description = details.description;
        Ok(Self {
            id,
            life,
            product_code: description.product_code.filter(|code| !code.is_empty()),
            title: description.product_title.unwrap_or_default(),
            short_description: description.short_description.unwrap_or_default(),
            long_description: description.long_description.unwrap_or_default(),
            highlights: description.highlights.unwrap_or_default(),
            search_keywords: description.search_keywords.unwrap_or_default(),
            categories: description.categories.unwrap_or_default(),
            logo_url: details.promotional_resources.logo_url.unwrap_or_default(),
            support: details.support_information.description.unwrap_or_default(),
            dimensions: dimensions.collect(),
            fulfillment_urls,
            buyer_accounts: targeting.and_then(|targeting| targeting.buyer_accounts).unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfferDetails {
    state: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    terms: Vec<Term>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    positive_targeting: Option<PositiveTargeting>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Term {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    documents: Vec<Value>,
    refund_policy: Option<String>,
    #[serde(default)]
    rate_cards: Vec<RateCards>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RateCards {
    #[serde(default)]
    rate_card: Vec<Rate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rate {
    dimension_key: String,
    price: Decimal,
}

impl OfferAtAws {
    /// Reads the details of an `Offer@1.0`.
    ///
    /// # Errors
    ///
    /// When the details are not of that shape.
    pub fn read(id: String, details: Value) -> Result<Self, MarketplaceError> {
        let details: OfferDetails = read("an offer", details)?;
        let names_accounts = |rule: &Rule| {
            let accounts = rule.positive_targeting.as_ref().and_then(|targeting| targeting.buyer_accounts.as_ref());
            accounts.is_some_and(|accounts| !accounts.is_empty())
        };
        let of_kind = |kind: &'static str| details.terms.iter().filter(move |term| term.kind == kind);
        let rates = details.terms.iter().flat_map(|term| &term.rate_cards).flat_map(|cards| &cards.rate_card);
        Ok(Self {
            id,
            is_public: details.state.as_deref() == Some("Released") && !details.rules.iter().any(names_accounts),
            has_eula: of_kind("LegalTerm").any(|term| !term.documents.is_empty()),
            refund_policy: of_kind("SupportTerm").find_map(|term| term.refund_policy.clone()).unwrap_or_default(),
            prices: rates
                .map(|rate| PriceAtAws { dimension: rate.dimension_key.clone(), amount: rate.price })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn product(details: Value) -> ProductAtAws {
        ProductAtAws::read("prod-example1".parse().unwrap(), details).unwrap()
    }

    #[test]
    fn a_product_is_read_whole() {
        let product = product(json!({
            "Description": {
                "ProductTitle": "Example", "ProductCode": "abc123", "ShortDescription": "Short",
                "LongDescription": "Long", "Sku": "", "Highlights": ["Fast"], "SearchKeywords": ["example"],
                "Categories": ["Monitoring"], "Visibility": "Limited", "ProductState": "Active",
            },
            "PromotionalResources": { "LogoUrl": "https://s3.amazonaws.com/example/logo.png", "Videos": [] },
            "SupportInformation": { "Description": "Write to us." },
            "Dimensions": [{ "Key": "seats", "Name": "Seats", "Types": ["Entitled", "Another"], "Unit": "Units" }],
            "Versions": [{ "DeliveryOptions": [
                { "Id": "do-1", "FulfillmentUrl": "https://a.example.com/register", "Visibility": "Public" },
                { "Id": "do-2", "FulfillmentUrl": "https://b.example.com/register", "Visibility": "Restricted" },
            ] }],
            "Targeting": { "PositiveTargeting": { "BuyerAccounts": ["111122223333"] } },
        }));
        assert_eq!(product.life, Life::Limited);
        assert_eq!(product.product_code.as_deref(), Some("abc123"));
        assert_eq!(product.fulfillment_urls, ["https://a.example.com/register"]);
        assert_eq!(product.dimensions.len(), 1);
        assert_eq!(product.dimensions.first().unwrap().types, [DimensionType::Entitled].into());
        assert_eq!(product.buyer_accounts.len(), 1);
        assert_eq!((product.logo_url.is_empty(), product.support.as_str()), (false, "Write to us."));
    }

    #[test]
    fn a_draft_has_nothing_yet() {
        for details in [
            json!({}),
            json!({ "Description": { "Visibility": "Draft" } }),
            json!({ "Description": { "ProductTitle": null, "Highlights": null }, "Targeting": null }),
        ] {
            let product = product(details);
            assert_eq!(product.life, Life::Draft);
            assert!(product.title.is_empty() && product.dimensions.is_empty() && product.product_code.is_none());
        }
    }

    #[test]
    fn a_life_is_read_from_the_visibility() {
        for (visibility, wanted) in [
            ("Public", Life::Public),
            ("Restricted", Life::Restricted),
            ("Staging", Life::Draft),
            ("New", Life::Unknown),
        ] {
            let product = product(json!({ "Description": { "Visibility": visibility } }));
            assert_eq!(product.life, wanted, "{visibility}");
        }
    }

    #[test]
    fn an_offer_is_read_with_its_prices_and_for_whom_it_is() {
        let details = |state: &str, accounts: Value| {
            json!({
                "State": state,
                "Rules": [
                    { "Type": "TargetingRule", "PositiveTargeting": { "BuyerAccounts": accounts } },
                    { "Type": "AvailabilityRule", "AvailabilityEndDate": "2030-01-01" },
                ],
                "Terms": [
                    { "Type": "UsageBasedPricingTerm", "CurrencyCode": "USD",
                      "RateCards": [{ "RateCard": [{ "DimensionKey": "events", "Price": "0.01" }] }] },
                    { "Type": "ConfigurableUpfrontPricingTerm", "CurrencyCode": "USD",
                      "RateCards": [{ "Selector": { "Type": "Duration", "Value": "P365D" },
                                      "RateCard": [{ "DimensionKey": "seats", "Price": "300.00" }] }] },
                    { "Type": "LegalTerm", "Documents": [{ "Type": "StandardEula", "Version": "2022-07-14" }] },
                    { "Type": "SupportTerm", "RefundPolicy": "Within 30 days." },
                ],
            })
        };
        let offer = OfferAtAws::read("offer-1".to_owned(), details("Released", json!([]))).unwrap();
        assert!(offer.is_public && offer.has_eula);
        assert_eq!(offer.refund_policy, "Within 30 days.");
        let prices: Vec<_> = offer.prices.iter().map(|price| (price.dimension.as_str(), price.amount)).collect();
        assert_eq!(prices, [("events", Decimal::new(1, 2)), ("seats", Decimal::new(300, 0))]);
        for (state, accounts) in [("Released", json!(["111122223333"])), ("Draft", json!([]))] {
            assert!(!OfferAtAws::read("offer-2".to_owned(), details(state, accounts)).unwrap().is_public, "{state}");
        }
    }

    #[test]
    fn other_details_are_an_odd_answer() {
        for details in [json!([]), json!({ "Description": "text" }), json!({ "Dimensions": [{}] })] {
            let answer = ProductAtAws::read("prod-example1".parse().unwrap(), details.clone());
            assert!(matches!(answer, Err(MarketplaceError::Unavailable(_))), "{details}");
        }
    }
}
