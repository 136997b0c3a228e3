//! The seller's API of usage: intake (`POST /v1/usage`), records (`GET /v1/licenses/{license}/usage`,
//! `GET /v1/usage/pending`), problems (`GET /v1/usage/problems`), and requeueing a record after a fix
//! (`POST /v1/usage/{record}/requeue`).
//!
//! API Gateway has checked the caller's signature before a request arrives here. A request takes 30 seconds at most,
//! and no write outlives it: the reporter counts on that.

mod body;
mod cache;
mod context;
mod contract;
mod event;
mod intake;
mod licenses;
mod problem_responses;
mod problems;
mod query;
mod result;
mod rows;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::Router;
use axum::routing::{get, post};
use clock::Clock;
use http::{HeaderName, HeaderValue};
use lambda::http::{api, gateway};
use lambda::metrics::Metrics;
use store::Store;

use cache::IntakeCache;
use context::Context;

pub use contract::contract;

/// The function.
#[derive(Debug)]
pub struct UsageApi {
    routes: Router,
    dry_run: bool,
}

/// The settings of the function in a stack.
#[derive(Debug)]
pub struct Settings {
    /// The destination of the metrics.
    pub metrics: Metrics,
    /// `true` if the stack's reporter sends nothing. Every answer has a header about it.
    pub dry_run: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { metrics: Metrics::discarded(), dry_run: false }
    }
}

/// The header that every answer has in a stack whose reporter sends nothing.
const REPORTER: HeaderName = HeaderName::from_static("x-stallkeeper-reporter");

fn routes() -> Router<Arc<Context>> {
    api(Router::new()
        .route("/v1/usage", post(intake::report))
        .route("/v1/usage/pending", get(problems::pending))
        .route("/v1/usage/unverified", get(problems::unverified))
        .route("/v1/usage/problems", get(problems::problems))
        .route("/v1/usage/{record}/requeue", post(problems::requeue))
        .route("/v1/licenses/{license}/usage", get(query::records)))
}

impl UsageApi {
    /// Creates the function on the table of that name, with the settings of a stack that bills and has no metrics.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self::with_settings(config, table, clock, Settings::default())
    }

    /// Creates the function on the table of that name.
    pub fn with_settings(config: &SdkConfig, table: &str, clock: Clock, settings: Settings) -> Self {
        let Settings { metrics, dry_run } = settings;
        let store = Store::new(config, table, clock);
        let context = Context { store, cache: IntakeCache::default(), metrics, dry_run };
        Self { routes: routes().with_state(Arc::new(context)), dry_run }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let mut response = gateway::answer_api(&self.routes, event).await;
        if self.dry_run {
            response.headers.insert(REPORTER, HeaderValue::from_static("dry_run"));
        }
        response
    }
}
