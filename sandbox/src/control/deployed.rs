//! What is deployed for a stage: each thing that the auditor looks at, broken and mended.

use axum::Json;
use serde_json::{Map, Value};

use super::{Answer, Here, Named, Sent, stack};
use crate::aws::Wiring;

pub(super) async fn show(Here(inside, _): Here, Named(stage): Named) -> Answer<Wiring> {
    inside.timeline.settle().await;
    Ok(Json(stack(&inside, &stage)?.wiring()))
}

/// Breaks or mends something by a merge patch on what is shown.
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

/// Makes everything as the template deploys it.
pub(super) async fn reset(Here(inside, _): Here, Named(stage): Named) -> Answer<Wiring> {
    let stack = stack(&inside, &stage)?;
    stack.wire_anew();
    inside.timeline.settle().await;
    Ok(Json(stack.wiring()))
}
