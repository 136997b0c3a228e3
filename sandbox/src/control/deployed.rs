//! The deployed parts of a stage: each part that the auditor checks can be broken and repaired.

use axum::Json;
use serde_json::{Map, Value};

use super::call::{Context, JsonBody, NamePath};
use super::failure::Answer;
use super::lookup::stack;
use crate::wiring::Wiring;

pub(super) async fn show(Context(state, _): Context, NamePath(stage): NamePath) -> Answer<Wiring> {
    state.timeline.settle().await;
    Ok(Json(stack(&state, &stage)?.wiring()))
}

/// Breaks or repairs a part by a merge patch on the wiring.
pub(super) async fn patch_wiring(
    Context(state, _): Context,
    NamePath(stage): NamePath,
    JsonBody(patch): JsonBody<Map<String, Value>>,
) -> Answer<Wiring> {
    let stack = stack(&state, &stage)?;
    stack.patch_wiring(patch)?;
    state.timeline.settle().await;
    Ok(Json(stack.wiring()))
}

/// Restores every part as the template deploys it.
pub(super) async fn reset(Context(state, _): Context, NamePath(stage): NamePath) -> Answer<Wiring> {
    let stack = stack(&state, &stage)?;
    stack.reset_wiring();
    state.timeline.settle().await;
    Ok(Json(stack.wiring()))
}
