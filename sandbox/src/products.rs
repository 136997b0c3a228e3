//! The listings as products of the local AWS.

use domain::listing::{self, Listing, Stage};
use local_aws::{BuyerKey, Dimension, DimensionType, Pricing, Product, ProductPage};
use rust_decimal::Decimal;

use crate::web::registration_host;

/// Returns the registration URL that the stack of a stage would have with its own domain. The catalog accepts only
/// https addresses without a port, which the stacks of this sandbox do not have.
pub fn fulfillment_url(stage: Stage) -> String {
    format!("https://{}/register", registration_host(stage))
}

/// Returns the product that a listing describes.
pub fn product(listing: &Listing) -> Product {
    let Listing { name, stage, product_code, product_id, mode, pricing, dimensions, urls, support, page, .. } = listing;
    let help = support.url.as_ref().map(|url| format!(" Help is at {url}.")).unwrap_or_default();
    Product {
        code: product_code.clone(),
        id: product_id.clone(),
        name: name.clone(),
        buyer_key: match mode {
            listing::Mode::License => BuyerKey::License,
            listing::Mode::Customer => BuyerKey::Customer,
        },
        pricing: match pricing {
            listing::Pricing::Contract => Pricing::Contract,
            listing::Pricing::Subscription => Pricing::Subscription,
            listing::Pricing::ContractWithConsumption => Pricing::ContractWithConsumption,
        },
        dimensions: dimensions.iter().map(dimension).collect(),
        fulfillment_url: fulfillment_url(*stage),
        page: ProductPage {
            logo: page.logo.clone(),
            about: urls.product.clone(),
            support: format!("Write to {} for help.{help}", support.email),
        },
    }
}

fn dimension(dimension: &listing::Dimension) -> Dimension {
    let kind = |kind: &listing::DimensionType| match kind {
        listing::DimensionType::Entitled => DimensionType::Entitled,
        listing::DimensionType::Metered => DimensionType::Metered,
        listing::DimensionType::ExternallyMetered => DimensionType::ExternallyMetered,
    };
    Dimension {
        key: dimension.key.clone(),
        name: dimension.name.clone(),
        description: dimension.description.clone(),
        unit: dimension.unit.clone(),
        types: dimension.types.iter().map(kind).collect(),
        // The price of a limited listing: above zero, so that the product is not free, and low, so that test purchases
        // are cheap (AWS Marketplace user guide, saas-product-lifecycle).
        price: Decimal::new(1, 2),
    }
}
