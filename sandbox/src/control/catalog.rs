//! The seller's catalog: entities put into any state, and change sets that fail, hang or are reviewed.

use axum::Json;
use local_aws::{ChangeSetOverview, Decision, NextChangeSet};
use serde_json::{Map, Value, json};

use super::call::{Context, JsonBody, NamePath};
use super::failure::Answer;
use super::lookup::described;
use crate::listings::find;
use crate::state::SandboxState;

pub(super) async fn entities(Context(state, _): Context) -> Answer<Value> {
    state.timeline.settle().await;
    Ok(Json(shown(&state)))
}

/// Puts an entity into another state by a merge patch on its details. A product may be named in every way in which a
/// listing may be named.
pub(super) async fn patch(
    Context(state, _): Context,
    NamePath(name): NamePath,
    JsonBody(patch): JsonBody<Map<String, Value>>,
) -> Answer<Value> {
    let listing = find(&state.listings, &name).map(|described| described.listing.product_id.as_str());
    state.aws.catalog().patch(listing.unwrap_or(&name), patch)?;
    state.timeline.settle().await;
    Ok(Json(shown(&state)))
}

pub(super) async fn reset(Context(state, _): Context, NamePath(product): NamePath) -> Answer<Value> {
    state.aws.catalog().reset(&described(&state, &product)?.listing.product_code)?;
    state.timeline.settle().await;
    Ok(Json(shown(&state)))
}

pub(super) async fn strip(Context(state, _): Context, NamePath(product): NamePath) -> Answer<Value> {
    state.aws.catalog().strip(&described(&state, &product)?.listing.product_code)?;
    state.timeline.settle().await;
    Ok(Json(shown(&state)))
}

pub(super) async fn remove(Context(state, _): Context, NamePath(product): NamePath) -> Answer<Value> {
    state.aws.catalog().remove(&described(&state, &product)?.listing.product_code)?;
    state.timeline.settle().await;
    Ok(Json(shown(&state)))
}

fn shown(state: &SandboxState) -> Value {
    json!({ "entities": state.aws.catalog().entity_overviews() })
}

pub(super) async fn change_sets(Context(state, _): Context) -> Answer<Value> {
    state.timeline.settle().await;
    Ok(Json(json!({ "change_sets": state.aws.catalog().change_set_overviews() })))
}

/// Plans the outcome of the next change set.
pub(super) async fn plan(Context(state, _): Context, JsonBody(next): JsonBody<NextChangeSet>) -> Answer<Value> {
    state.aws.catalog().plan(next);
    state.timeline.settle().await;
    Ok(Json(json!({ "change_sets": state.aws.catalog().change_set_overviews() })))
}

/// Ends a review, or lets a change set that hangs continue or fail.
pub(super) async fn decide(
    Context(state, _): Context,
    NamePath(change_set): NamePath,
    JsonBody(decision): JsonBody<Decision>,
) -> Answer<ChangeSetOverview> {
    let decided = state.aws.catalog().decide(&change_set, decision)?;
    state.timeline.settle().await;
    Ok(Json(decided))
}
