//! The deployed parts of a stage: each part that the auditor checks can be broken and repaired.

use axum::Json;
use serde_json::{Map, Value};

use super::{Answer, Here, Named, Sent, stack};
use crate::aws::Wiring;

pub(super) async fn show(Here(inside, _): Here, Named(stage): Named) -> Answer<Wiring> {
    inside.timeline.settle().await;
    Ok(Json(stack(&inside, &stage)?.wiring()))
}

/// Breaks or repairs a part by a merge patch on the wiring.
pub(super) async fn rewire(
    Here(inside, _): Here,
    Named(stage): Named,
    Sent(patch): Sent<Map<String, Value>>,
) -> Answer<Wiring> {
    let stack = stack(&inside, &stage)?;
    stack.rewire(patch)?;
    inside.timeline.settle().await;
    Ok(Json(stack.wiring()))
}

/// Restores every part as the template deploys it.
pub(super) async fn reset(Here(inside, _): Here, Named(stage): Named) -> Answer<Wiring> {
    let stack = stack(&inside, &stage)?;
    stack.wire_anew();
    inside.timeline.settle().await;
    Ok(Json(stack.wiring()))
}
