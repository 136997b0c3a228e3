//! A review of a listing by AWS's reviewer.

use axum::Json;
use http::StatusCode;
use lambda::http::Problem;
use serde::Deserialize;

use super::call::{Context, JsonBody};
use super::failure::{Answer, Failure};
use super::lookup::described;
use crate::review::{self, Review};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewRequest {
    product: String,
}

/// Reviews a listing as AWS does before it becomes public, and decides the request that waits for that.
pub(super) async fn review(Context(state, _): Context, JsonBody(wanted): JsonBody<ReviewRequest>) -> Answer<Review> {
    state.timeline.settle().await;
    let listing = &described(&state, &wanted.product)?.listing;
    let stack = state.stack(listing.stage).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "stage_not_running",
            "The registration page of this stage is not running.",
        )
        .detail(format!("{} is of the stage {}, which has no stack here", listing.name, listing.stage))
        .action("Start the sandbox with that stage.")
    })?;
    let review = review::review(&state, stack, listing).await;
    Ok(Json(review.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the review was not made");
        Failure::from(Problem::unavailable().detail("the review was not made"))
    })?))
}
