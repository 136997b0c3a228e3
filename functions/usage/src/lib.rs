//! The seller's API: usage intake (`POST /v1/usage`), what became of it (`GET /v1/licenses/{license}/usage`,
//! `GET /v1/usage/pending`), what a person must look at (`GET /v1/usage/problems`) and sending a record again after a
//! mend (`POST /v1/usage/{record}/requeue`).
//!
//! API Gateway has checked the caller's signature before a request arrives here. A request takes 30 seconds at most,
//! and no write outlives it: the reporter counts on that.

mod body;
mod event;
mod intake;
mod known;
mod licenses;
mod problems;
mod query;
mod result;
mod rows;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::{HeaderName, Method};
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::metrics::{Metric, Metrics};
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

use known::Known;

/// The function.
#[derive(Debug)]
pub struct UsageApi {
    store: Store,
    known: Known,
    metrics: Metrics,
    dry_run: bool,
}

/// The header that every answer has in a stack whose reporter sends nothing.
const REPORTER: HeaderName = HeaderName::from_static("x-stallkeeper-reporter");

impl UsageApi {
    /// The function on the table of that name. Nobody reads its metrics, unless [`reporting_to`](Self::reporting_to)
    /// says where they go.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        let store = Store::new(config, table, clock);
        Self { store, known: Known::default(), metrics: Metrics::unread(), dry_run: false }
    }

    /// The function with its metrics going there.
    #[must_use]
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The function of a stack whose reporter sends nothing; every answer says so.
    #[must_use]
    pub fn in_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::read(event);
        let response: Response = self.answer(&request).await.unwrap_or_else(Response::from);
        let (method, status) = (request.method.as_str(), response.status.as_u16());
        tracing::info!(method, status, "answered");
        if self.dry_run { response.header(REPORTER, "dry_run").into() } else { response.into() }
    }

    /// Counts what is not zero.
    fn count(&self, counted: &[(Metric, usize)]) {
        let values = counted.iter().filter(|(_, count)| *count > 0);
        let values = values.map(|(metric, count)| (*metric, u64::try_from(*count).unwrap_or(u64::MAX))).collect();
        self.metrics.write(self.store.clock().now(), &values);
    }

    async fn answer(&self, request: &Request) -> Result<Response, Refusal> {
        let segments = request.segments();
        match segments.as_slice() {
            ["v1", "usage"] => {
                request.only_method(&Method::POST)?;
                self.take_in(request).await
            }
            ["v1", "usage", "pending"] => {
                request.only_method(&Method::GET)?;
                self.pending(request).await
            }
            ["v1", "usage", "unverified"] => {
                request.only_method(&Method::GET)?;
                self.unverified(request).await
            }
            ["v1", "usage", "problems"] => {
                request.only_method(&Method::GET)?;
                self.problems(request).await
            }
            ["v1", "usage", record, "requeue"] => {
                request.only_method(&Method::POST)?;
                self.requeue(request, record).await
            }
            ["v1", "licenses", license, "usage"] => {
                request.only_method(&Method::GET)?;
                query::records(&self.store, request, license).await
            }
            _ => Err(Problem::no_route(request).into()),
        }
    }
}
