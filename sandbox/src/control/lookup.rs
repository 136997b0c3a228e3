//! The listings and the stacks that calls are about.

use std::sync::Arc;

use domain::listing::Stage;
use http::StatusCode;
use lambda::http::Problem;

use super::failure::Failure;
use crate::listings::{DescribedListing, find};
use crate::stack::Stack;
use crate::state::SandboxState;

/// Returns the listing that a call is about: by product code, product id, name or file.
pub(super) fn described<'a>(state: &'a SandboxState, product: &str) -> Result<&'a DescribedListing, Failure> {
    find(&state.listings, product).ok_or_else(|| {
        let known: Vec<&str> = state.listings.iter().map(|described| described.file.as_str()).collect();
        Problem::new(StatusCode::BAD_REQUEST, "product_unknown", "There is no such listing.")
            .detail(format!("product: `{product}` is none of the listings: {}", known.join(", ")))
            .action("Name a listing by its product code, its product id, its name or its file.")
            .into()
    })
}

/// Returns the stacks that a call is about: that of the stage that it names, or all.
pub(super) fn stacks<'a>(state: &'a SandboxState, stage: Option<&str>) -> Result<Vec<&'a Arc<Stack>>, Failure> {
    match stage {
        Some(name) => Ok(vec![stack(state, name)?]),
        None => Ok(state.stacks.iter().collect()),
    }
}

/// Returns the stack of a stage.
pub(super) fn stack<'a>(state: &'a SandboxState, stage: &str) -> Result<&'a Arc<Stack>, Failure> {
    let found = stage.parse().ok().and_then(|stage: Stage| state.stack(stage));
    found.ok_or_else(|| {
        let running: Vec<&str> = state.stacks.iter().map(|stack| stack.stage.as_str()).collect();
        Failure::invalid("stage", format!("there is no stage `{stage}` here, only: {}", running.join(", ")))
    })
}
