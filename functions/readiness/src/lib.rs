//! The auditor: checks a listing in AWS, the pages that buyers see, and its own stack, and reports how ready the
//! listing is.
//!
//! `readiness_checks` judges the facts that this crate gathers: `pages` and `probe` from outside over the
//! `internet`, and `stack` from AWS. All sources are queried concurrently, each with its own timeout, so a source that
//! is slow or refuses makes only its own checks unknown and delays no other.

mod api;
mod auditor;
mod contract;
mod deployment;
pub mod html;
mod internet;
mod json;
mod pages;
mod probe;
mod problem_responses;
mod query;
mod stack;
pub mod text;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::Router;
use lambda::http::gateway;
use std::sync::Arc;

use clock::Clock;
use readiness_checks::Report;
use store::StoreError;
use url::Url;

pub use contract::contract;
pub use deployment::{Deployment, Schedule};
pub use internet::{Internet, Known};

use auditor::Auditor;

/// The Lambda function of the auditor.
#[derive(Debug)]
pub struct Readiness {
    auditor: Arc<Auditor>,
    routes: Router,
}

impl Readiness {
    /// Creates the function for a table, and for a stack with the resources in `deployment`.
    pub fn new(config: &SdkConfig, table: &str, deployment: Deployment, internet: Internet, clock: Clock) -> Self {
        let auditor = Arc::new(Auditor::new(config, table, deployment, internet, clock));
        Self { routes: api::routes().with_state(Arc::clone(&auditor)), auditor }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        gateway::answer_api(&self.routes, event).await
    }

    /// Audits every listing of the stack, as scheduled. A listing whose report cannot be stored delays no other.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, with the error of the first listing for which it did not.
    pub async fn run(&self, registration: Option<Url>) -> Result<Vec<Report>, StoreError> {
        self.auditor.run(registration).await
    }
}
