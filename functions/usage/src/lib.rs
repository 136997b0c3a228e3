//! The seller's API: usage intake (`POST /v1/usage`) and what became of it
//! (`GET /v1/licenses/{license}/usage`).
//!
//! API Gateway has checked the caller's signature before a request arrives here. A request takes 30 seconds at most,
//! and no write outlives it: the reporter counts on that.

mod body;
mod event;
mod intake;
mod known;
mod licenses;
mod query;
mod result;
mod rows;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::Method;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

use known::Known;

/// The function.
#[derive(Debug)]
pub struct UsageApi {
    store: Store,
    known: Known,
}

impl UsageApi {
    /// The function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock), known: Known::default() }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::read(event);
        let response: Response = self.answer(&request).await.unwrap_or_else(Response::from);
        let (method, status) = (request.method.as_str(), response.status.as_u16());
        tracing::info!(method, status, counter = "usage_api", "answered");
        response.into()
    }

    async fn answer(&self, request: &Request) -> Result<Response, Refusal> {
        let segments = request.decoded_segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["v1", "usage"] => {
                request.only_method(&Method::POST)?;
                self.take_in(request).await
            }
            ["v1", "licenses", license, "usage"] => {
                request.only_method(&Method::GET)?;
                query::records(&self.store, request, license).await
            }
            _ => Err(Problem::no_route(request).into()),
        }
    }
}
