//! The entities of a described listing in the catalog: complete for AWS's reviewers, or empty drafts.
//!
//! The members are those of AWS's entity shapes (awslabs/aws-marketplace-catalog-api-shapes-for-python); those of an
//! offer follow the Catalog API's examples.

use domain::listing::{Dimension, Listing, Pricing, Stage};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Entity, EntityKind, offer, product};
use crate::web::registration_host;

/// The test accounts that can see a limited product.
const BUYER_ACCOUNTS: [&str; 5] = ["111111111111", "222222222222", "333333333333", "555555555555", "777777777777"];

/// The price of each dimension of a limited listing, in USD: above zero, so that the product is not free, and low, so
/// that test purchases are cheap (AWS Marketplace user guide, saas-product-lifecycle).
const PRICE: &str = "0.01";

/// Returns the registration URL that the stack of a stage would have with its own domain. The catalog accepts only
/// https addresses without a port, which the stacks of this sandbox do not have.
pub fn fulfillment_url(stage: Stage) -> String {
    format!("https://{}/register", registration_host(stage))
}

/// Returns the id of the offer that a described listing has from the start.
pub(super) fn offer_id(listing: &Listing) -> String {
    format!("offer-{}", own_part(listing.product_id.as_str()))
}

/// Returns the part that the ids of a product and its parts share: the product's id without `prod-`, in letters and
/// digits.
pub(super) fn own_part(id: &str) -> String {
    id.strip_prefix("prod-").unwrap_or(id).chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Creates a product and its public offer, limited to test accounts and otherwise complete.
pub(super) fn complete(listing: &Listing, now: Timestamp) -> [Entity; 2] {
    [
        entity(listing.product_id.as_str(), EntityKind::Product, complete_product(listing), now),
        entity(&offer_id(listing), EntityKind::Offer, complete_offer(listing), now),
    ]
}

/// Creates the same entities as CreateProduct and CreateOffer leave them.
pub(super) fn bare(listing: &Listing, now: Timestamp) -> [Entity; 2] {
    let (product, offer) = (listing.product_id.as_str(), offer_id(listing));
    [
        entity(product, EntityKind::Product, product::fresh(listing.product_code.as_str()), now),
        entity(&offer, EntityKind::Offer, offer::fresh(&offer, product, None), now),
    ]
}

fn entity(id: &str, kind: EntityKind, mut details: Value, modified: Timestamp) -> Entity {
    let details = details.as_object_mut().map(std::mem::take).unwrap_or_default();
    Entity { id: id.to_owned(), kind, revision: 1, modified, details }
}

fn complete_product(listing: &Listing) -> Value {
    let (name, support) = (&listing.name, &listing.support);
    let own = own_part(listing.product_id.as_str());
    let page = |url: &url::Url| json!([{ "Type": "Link", "Text": "About the product", "Url": url }]);
    let help = support.url.as_ref().map(|url| format!(" Help is at {url}.")).unwrap_or_default();
    let logo = listing.page.logo.as_ref().map_or("https://www.example.com/logo.png", |logo| logo.as_str());
    let dimension = |dimension: &Dimension| {
        json!({
            "Key": dimension.key,
            "Name": dimension.name,
            "Description": dimension.description.as_ref().unwrap_or(&dimension.name),
            "Unit": dimension.unit.as_deref().unwrap_or("Units"),
            "Types": dimension.types,
        })
    };
    json!({
        "Description": {
            "ProductTitle": name,
            "ProductCode": listing.product_code,
            "ShortDescription": format!("{name}, as the sandbox sells it."),
            "LongDescription": format!("{name} shows the members of a complete listing in AWS Marketplace."),
            "Sku": own,
            "Highlights": ["Set up in minutes", "Pay with your AWS bill"],
            "SearchKeywords": ["SaaS", "sandbox"],
            "Visibility": "Limited",
            "ProductState": "Active",
            "Categories": ["Monitoring"],
        },
        "PromotionalResources": {
            "LogoUrl": logo,
            "Videos": [],
            "AdditionalResources": listing.urls.product.as_ref().map_or_else(|| json!([]), page),
        },
        "SupportInformation": { "Description": format!("Write to {} for help.{help}", support.email) },
        "Dimensions": listing.dimensions.iter().map(dimension).collect::<Vec<_>>(),
        "Versions": [{
            "Id": format!("version-{}", own),
            "DeliveryOptions": [{
                "Id": format!("do-{}", own),
                "Type": product::SAAS_URL,
                "FulfillmentUrl": fulfillment_url(listing.stage),
                "QuickLaunchEnabled": false,
                "Visibility": "Limited",
            }],
        }],
        "Targeting": { "PositiveTargeting": { "BuyerAccounts": BUYER_ACCOUNTS } },
    })
}

fn complete_offer(listing: &Listing) -> Value {
    let priced = |is_wanted: fn(&Dimension) -> bool| -> Vec<Value> {
        let wanted = listing.dimensions.iter().filter(|dimension| is_wanted(dimension));
        wanted.map(|dimension| json!({ "DimensionKey": dimension.key, "Price": PRICE })).collect()
    };
    let usage = || {
        let cards = json!([{ "RateCard": priced(Dimension::is_metered) }]);
        json!({ "Type": "UsageBasedPricingTerm", "CurrencyCode": "USD", "RateCards": cards })
    };
    let upfront = || {
        let cards = json!([{
            "Selector": { "Type": "Duration", "Value": "P12M" },
            "RateCard": priced(Dimension::is_entitled),
            "Constraints": { "MultipleDimensionSelection": "Allowed", "QuantityConfiguration": "Allowed" },
        }]);
        json!({ "Type": "ConfigurableUpfrontPricingTerm", "CurrencyCode": "USD", "RateCards": cards })
    };
    let renewal = json!({ "Type": "RenewalTerm" });
    let pricing = match listing.pricing {
        Pricing::Contract => vec![upfront(), renewal],
        Pricing::Subscription => vec![usage()],
        Pricing::ContractWithConsumption => vec![usage(), upfront(), renewal],
    };
    let mut terms = vec![
        json!({ "Type": "LegalTerm", "Documents": [{ "Type": "StandardEula", "Version": "2022-07-14" }] }),
        json!({ "Type": "SupportTerm", "RefundPolicy": "Refunds are given within 30 days of a purchase." }),
    ];
    terms.extend(pricing);
    json!({
        "Id": offer_id(listing),
        "Name": listing.name,
        "Description": format!("The public offer of {}.", listing.name),
        "ProductId": listing.product_id,
        "Terms": terms,
        "Rules": [],
        "State": "Released",
    })
}
