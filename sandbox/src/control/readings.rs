//! The readings of AWS's documents that apply, and the dimensions that the catalog publishes.

use axum::Json;
use domain::ids::{DimensionKey, ProductCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Here, Sent, described};
use crate::aws::Readings;

pub(super) async fn show(Here(inside, _): Here) -> Answer<Readings> {
    inside.timeline.settle().await;
    Ok(Json(inside.aws.marketplace().readings()))
}

/// Changes the readings that the body names; the others stay.
pub(super) async fn change(Here(inside, _): Here, Sent(changes): Sent<Value>) -> Answer<Readings> {
    let market = inside.aws.marketplace();
    let readings = market.readings().with(&changes)?;
    market.set_readings(readings.clone());
    inside.timeline.settle().await;
    Ok(Json(readings))
}

/// The publication of a metered dimension in the catalog: published or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publication {
    /// A product code, a product id, the name of a listing or of its file.
    product: String,
    dimension: DimensionKey,
    published: bool,
}

/// The publication of a dimension, with the code of the product.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    product: ProductCode,
    dimension: DimensionKey,
    published: bool,
}

pub(super) async fn publish(Here(inside, _): Here, Sent(publication): Sent<Publication>) -> Answer<Published> {
    let Publication { product, dimension, published } = publication;
    let product = described(&inside, &product)?.listing.product_code.clone();
    inside.aws.marketplace().set_unpublished(&product, &dimension, !published)?;
    inside.timeline.settle().await;
    Ok(Json(Published { product, dimension, published }))
}
