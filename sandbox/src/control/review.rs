//! A review of a listing by AWS's reviewer.

use axum::Json;
use http::StatusCode;
use lambda::http::Problem;
use serde::Deserialize;

use super::{Answer, Failure, Here, Sent, described};
use crate::review::{self, Review};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    product: String,
}

/// Reviews a listing as AWS does before it becomes public, and decides the request that waits for that.
pub(super) async fn review(Here(inside, _): Here, Sent(wanted): Sent<Wanted>) -> Answer<Review> {
    inside.timeline.settle().await;
    let listing = &described(&inside, &wanted.product)?.listing;
    let stack = inside.stack(listing.stage).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "stage_not_running", "Nobody can register there.")
            .detail(format!("{} is of the stage {}, which has no stack here", listing.name, listing.stage))
            .action("Start the sandbox with that stage.")
    })?;
    let review = review::review(&inside, stack, listing).await;
    Ok(Json(review.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the review was not made");
        Failure::from(Problem::unavailable().detail("the review was not made"))
    })?))
}
