//! HTTP of the functions behind API Gateway: axum routers, run by `lambda_http`.
//!
//! A function is a table of routes. [`gateway::answer`] hands an event of an HTTP API (payload version 2.0) to it,
//! [`api()`] adds what all functions of the seller's API have in common, [`extract`] reads the parts of a request, and
//! what is wrong is answered with a [`Problem`] document.

mod api;
mod body;
pub mod contract;
pub mod extract;
pub mod gateway;
pub mod negotiate;
mod problem;

pub use api::api;
pub use body::{BodyError, MAX_BODY_BYTES};
pub use problem::{ApiError, Problem};

/// Returns the first 40 characters of a name that is not known: as much of it as an answer repeats.
pub fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}
