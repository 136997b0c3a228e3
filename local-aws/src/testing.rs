//! A product for the tests of this crate.

use rust_decimal::Decimal;

use crate::product::{BuyerKey, Dimension, DimensionType, Pricing, Product, ProductPage};

/// Returns a product that is paid by use of its one dimension, `requests`.
pub(crate) fn subscription() -> Product {
    Product {
        code: "5demosubscription000000ab".parse().unwrap(),
        id: "prod-demosubscription1".parse().unwrap(),
        name: "Demo Subscription".to_owned(),
        buyer_key: BuyerKey::License,
        pricing: Pricing::Subscription,
        dimensions: vec![Dimension {
            key: "requests".parse().unwrap(),
            name: "Requests".to_owned(),
            description: None,
            unit: None,
            types: [DimensionType::ExternallyMetered].into(),
            price: Decimal::new(1, 2),
        }],
        fulfillment_url: "https://register.example.com/register".to_owned(),
        page: ProductPage::default(),
    }
}
