//! A run of the reconciliation on request.

use std::collections::BTreeMap;

use axum::Json;
use reconcile::Report;
use serde::Deserialize;

use super::call::{Context, JsonBody};
use super::failure::Answer;
use super::lookup::stacks;

/// The stage; all stages if none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReconcileRequest {
    #[serde(default)]
    stage: Option<String>,
}

/// Runs the reconciliation, and returns the report of each stage's run; `None` for a run that failed.
pub(super) async fn run(
    Context(state, _): Context,
    JsonBody(of): JsonBody<ReconcileRequest>,
) -> Answer<BTreeMap<&'static str, Option<Report>>> {
    state.timeline.settle().await;
    let mut reports = BTreeMap::new();
    for stack in stacks(&state, of.stage.as_deref())? {
        reports.insert(stack.stage.as_str(), stack.reconcile().await);
    }
    state.timeline.settle().await;
    Ok(Json(reports))
}
