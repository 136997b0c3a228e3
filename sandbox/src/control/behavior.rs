//! The behavior where AWS's documents disagree, and the dimensions that the catalog publishes.

use axum::Json;
use domain::ids::{DimensionKey, ProductCode};
use local_aws::Behavior;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{Context, JsonBody};
use super::failure::Answer;
use super::lookup::described;

pub(super) async fn show(Context(state, _): Context) -> Answer<Behavior> {
    state.timeline.settle().await;
    Ok(Json(state.aws.marketplace().behavior()))
}

/// Changes the options that the body names; the others stay.
pub(super) async fn change(Context(state, _): Context, JsonBody(changes): JsonBody<Value>) -> Answer<Behavior> {
    let market = state.aws.marketplace();
    let behavior = market.behavior().with(&changes)?;
    market.set_behavior(behavior.clone());
    state.timeline.settle().await;
    Ok(Json(behavior))
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

pub(super) async fn publish(
    Context(state, _): Context,
    JsonBody(publication): JsonBody<Publication>,
) -> Answer<Published> {
    let Publication { product, dimension, published } = publication;
    let product = described(&state, &product)?.listing.product_code.clone();
    state.aws.marketplace().set_unpublished(&product, &dimension, !published)?;
    state.timeline.settle().await;
    Ok(Json(Published { product, dimension, published }))
}
