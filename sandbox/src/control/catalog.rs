//! The seller's catalog: entities put into any state, and change sets that fail, hang or are reviewed.

use axum::Json;
use serde_json::{Map, Value, json};

use super::{Answer, Here, Named, Sent, described};
use crate::aws::{ChangeSetOverview, Decision, NextChangeSet};
use crate::listings::find;
use crate::sandbox::Inside;

pub(super) async fn entities(Here(inside, _): Here) -> Answer<Value> {
    inside.timeline.settle().await;
    Ok(Json(shown(&inside)))
}

/// Puts an entity into another state by a merge patch on its details. A product may be named in every way in which a
/// listing may be named.
pub(super) async fn patch(
    Here(inside, _): Here,
    Named(name): Named,
    Sent(patch): Sent<Map<String, Value>>,
) -> Answer<Value> {
    let listing = find(&inside.listings, &name).map(|described| described.listing.product_id.as_str());
    inside.aws.catalog().patch(listing.unwrap_or(&name), patch)?;
    inside.timeline.settle().await;
    Ok(Json(shown(&inside)))
}

pub(super) async fn reset(Here(inside, _): Here, Named(product): Named) -> Answer<Value> {
    inside.aws.catalog().reset(&described(&inside, &product)?.listing.product_code)?;
    inside.timeline.settle().await;
    Ok(Json(shown(&inside)))
}

pub(super) async fn strip(Here(inside, _): Here, Named(product): Named) -> Answer<Value> {
    inside.aws.catalog().strip(&described(&inside, &product)?.listing.product_code)?;
    inside.timeline.settle().await;
    Ok(Json(shown(&inside)))
}

pub(super) async fn remove(Here(inside, _): Here, Named(product): Named) -> Answer<Value> {
    inside.aws.catalog().remove(&described(&inside, &product)?.listing.product_code)?;
    inside.timeline.settle().await;
    Ok(Json(shown(&inside)))
}

fn shown(inside: &Inside) -> Value {
    json!({ "entities": inside.aws.catalog().entity_overviews() })
}

pub(super) async fn change_sets(Here(inside, _): Here) -> Answer<Value> {
    inside.timeline.settle().await;
    Ok(Json(json!({ "change_sets": inside.aws.catalog().change_set_overviews() })))
}

/// Plans the outcome of the next change set.
pub(super) async fn plan(Here(inside, _): Here, Sent(next): Sent<NextChangeSet>) -> Answer<Value> {
    inside.aws.catalog().plan(next);
    inside.timeline.settle().await;
    Ok(Json(json!({ "change_sets": inside.aws.catalog().change_set_overviews() })))
}

/// Ends a review, or lets a change set that hangs continue or fail.
pub(super) async fn decide(
    Here(inside, _): Here,
    Named(change_set): Named,
    Sent(decision): Sent<Decision>,
) -> Answer<ChangeSetOverview> {
    let decided = inside.aws.catalog().decide(&change_set, decision)?;
    inside.timeline.settle().await;
    Ok(Json(decided))
}
