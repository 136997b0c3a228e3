//! The entities of a product in the catalog: complete for AWS's reviewers, or empty drafts.
//!
//! The members are those of AWS's entity shapes (awslabs/aws-marketplace-catalog-api-shapes-for-python); those of an
//! offer follow the Catalog API's examples.

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{Entity, EntityKind, offer, product};
use crate::product::{Dimension, Pricing, Product};

/// The test accounts that can see a limited product.
const BUYER_ACCOUNTS: [&str; 5] = ["111111111111", "222222222222", "333333333333", "555555555555", "777777777777"];

/// Returns the id of the offer that a product has from the start.
pub(super) fn offer_id(product: &Product) -> String {
    format!("offer-{}", own_part(product.id.as_str()))
}

/// Returns the part that the ids of a product and its parts share: the product's id without `prod-`, in letters and
/// digits.
pub(super) fn own_part(id: &str) -> String {
    id.strip_prefix("prod-").unwrap_or(id).chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Creates a product and its public offer, limited to test accounts and otherwise complete.
pub(super) fn complete(product: &Product, now: Timestamp) -> [Entity; 2] {
    [
        entity(product.id.as_str(), EntityKind::Product, complete_product(product), now),
        entity(&offer_id(product), EntityKind::Offer, complete_offer(product), now),
    ]
}

/// Creates the same entities as CreateProduct and CreateOffer leave them.
pub(super) fn bare(product: &Product, now: Timestamp) -> [Entity; 2] {
    let (id, offer) = (product.id.as_str(), offer_id(product));
    [
        entity(id, EntityKind::Product, product::fresh(product.code.as_str()), now),
        entity(&offer, EntityKind::Offer, offer::fresh(&offer, id, None), now),
    ]
}

fn entity(id: &str, kind: EntityKind, mut details: Value, modified: Timestamp) -> Entity {
    let details = details.as_object_mut().map(std::mem::take).unwrap_or_default();
    Entity { id: id.to_owned(), kind, revision: 1, modified, details }
}

fn complete_product(product: &Product) -> Value {
    let Product { name, page, .. } = product;
    let own = own_part(product.id.as_str());
    let about = |url: &Url| json!([{ "Type": "Link", "Text": "About the product", "Url": url }]);
    let logo = page.logo.as_ref().map_or("https://www.example.com/logo.png", |logo| logo.as_str());
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
            "ProductCode": product.code,
            "ShortDescription": format!("{name}, as the local AWS sells it."),
            "LongDescription": format!("{name} shows the members of a complete listing in AWS Marketplace."),
            "Sku": own,
            "Highlights": ["Set up in minutes", "Pay with your AWS bill"],
            "SearchKeywords": ["SaaS", "test"],
            "Visibility": "Limited",
            "ProductState": "Active",
            "Categories": ["Monitoring"],
        },
        "PromotionalResources": {
            "LogoUrl": logo,
            "Videos": [],
            "AdditionalResources": page.about.as_ref().map_or_else(|| json!([]), about),
        },
        "SupportInformation": { "Description": page.support },
        "Dimensions": product.dimensions.iter().map(dimension).collect::<Vec<_>>(),
        "Versions": [{
            "Id": format!("version-{}", own),
            "DeliveryOptions": [{
                "Id": format!("do-{}", own),
                "Type": product::SAAS_URL,
                "FulfillmentUrl": product.fulfillment_url,
                "QuickLaunchEnabled": false,
                "Visibility": "Limited",
            }],
        }],
        "Targeting": { "PositiveTargeting": { "BuyerAccounts": BUYER_ACCOUNTS } },
    })
}

fn complete_offer(product: &Product) -> Value {
    let priced = |is_wanted: fn(&Dimension) -> bool| -> Vec<Value> {
        let wanted = product.dimensions.iter().filter(|dimension| is_wanted(dimension));
        wanted.map(|dimension| json!({ "DimensionKey": dimension.key, "Price": dimension.price })).collect()
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
    let pricing = match product.pricing {
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
        "Id": offer_id(product),
        "Name": product.name,
        "Description": format!("The public offer of {}.", product.name),
        "ProductId": product.id,
        "Terms": terms,
        "Rules": [],
        "State": "Released",
    })
}
