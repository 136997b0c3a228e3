//! Sells one product on a local AWS Marketplace.

use std::collections::BTreeMap;

use clock::Clock;
use jiff::Timestamp;
use local_aws::{Aws, AwsOptions, BuyerKey, Dimension, DimensionType, Pricing, Product, ProductPage, Purchase};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let product = Product {
        code: "5example0000000000000000a".parse()?,
        id: "prod-example0000001".parse()?,
        name: "Example".to_owned(),
        buyer_key: BuyerKey::License,
        pricing: Pricing::Subscription,
        dimensions: vec![Dimension {
            key: "requests".parse()?,
            name: "Requests".to_owned(),
            description: None,
            unit: None,
            types: [DimensionType::ExternallyMetered].into(),
            price: "0.01".parse()?,
        }],
        fulfillment_url: "https://www.example.com/register".to_owned(),
        page: ProductPage::default(),
    };
    let code = product.code.clone();
    let (event_sender, mut events) = mpsc::unbounded_channel();
    let clock = Clock::ticking_from(Timestamp::now());
    let aws = Aws::start(AwsOptions::new(clock, vec![product], event_sender)).await?;
    println!("export AWS_ENDPOINT_URL={} AWS_REGION=us-east-1", aws.url());

    let purchase = Purchase { product: code, account: None, dimensions: BTreeMap::new(), free_trial: false };
    let purchased = aws.marketplace().purchase(purchase)?;
    println!("The buyer's browser posts this registration token: {}", purchased.token);
    while let Some(scheduled) = events.recv().await {
        println!("At {} AWS sends {:?}", scheduled.at, scheduled.event);
    }
    Ok(())
}
