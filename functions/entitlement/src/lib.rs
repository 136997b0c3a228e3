//! The seller's API: licenses, the tenants that they belong to, and what a tenant may use.
//!
//! API Gateway has checked the caller's signature before a request arrives here. A decision costs one query of the
//! table and no call to AWS Marketplace.

mod licenses;
mod tenants;
mod view;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use stallkeeper::aws::chain;
use stallkeeper::http::{Problem, Request, Response};
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::Clock;

/// The function.
#[derive(Debug)]
pub struct EntitlementApi {
    store: Store,
}

/// Why a request has no other answer. This is the one place that turns it into one.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the request was refused")]
    Problem(Problem),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Problem(problem) => problem.into(),
            Refusal::Store(StoreError::BadCursor) => {
                Problem::invalid("cursor", "not one that this query has handed out").into()
            }
            Refusal::Store(error) => {
                tracing::error!(error = %chain(&error), counter = "api_unavailable", "the table did not answer");
                Problem::unavailable().into()
            }
        }
    }
}

impl EntitlementApi {
    /// The function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock) }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::read(event);
        let response: Response = self.answer(&request).await.unwrap_or_else(Response::from);
        let (method, status) = (request.method.as_str(), response.status.as_u16());
        tracing::info!(method, path = request.path, status, "answered");
        response.into()
    }

    async fn answer(&self, request: &Request) -> Result<Response, Refusal> {
        let segments: Vec<String> = request
            .segments()
            .into_iter()
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["v1", "licenses"] => {
                only(request, &Method::GET)?;
                licenses::list(&self.store, request).await
            }
            ["v1", "licenses", license] => {
                only(request, &Method::GET)?;
                licenses::show(&self.store, request, license).await
            }
            ["v1", "licenses", license, "tenant"] => {
                only(request, &Method::PUT)?;
                licenses::link(&self.store, request, license).await
            }
            ["v1", "tenants", tenant] => {
                only(request, &Method::GET)?;
                tenants::show(&self.store, request, tenant).await
            }
            ["v1", "tenants", tenant, "entitlements"] => {
                only(request, &Method::GET)?;
                tenants::decide(&self.store, request, tenant).await
            }
            _ => Err(Problem::no_route(request).into()),
        }
    }
}

/// Refuses every other method.
fn only(request: &Request, method: &Method) -> Result<(), Problem> {
    if request.method == *method {
        return Ok(());
    }
    let allowed = method.as_str();
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path has no such method.")
        .detail(format!("{} is not {allowed}", request.method))
        .action("Use the method that the Allow header names.")
        .header(header::ALLOW, allowed))
}

/// Refuses query parameters that are not there, so that a slip of the pen is not taken for no filter at all.
fn only_parameters(request: &Request, known: &[&str]) -> Result<(), Problem> {
    for (at, (name, _)) in request.query.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Problem::invalid("query", format!("no parameter `{}`; known here: {known}", brief(name))));
        }
        if request.query.iter().take(at).any(|(earlier, _)| earlier == name) {
            return Err(Problem::invalid(name, "given more than once"));
        }
    }
    Ok(())
}

fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}
