//! The registration URL: what a buyer meets between "Set up your account" at AWS Marketplace and the application.
//!
//! A buyer's way, file by file: `arrive` takes the token and opens a session, `visit` shows the page, `details`
//! takes the contact and sends the buyer on, `status` tells whether the license is active. `failure` is every way to
//! go wrong, `view` the pages with their headers, `texts` what they say.
//!
//! A token proves a purchase, never a person: nothing that someone left is shown to whoever comes next, and a license
//! that belongs to a tenant offers signing in and nothing else. No token, address, name, cookie or code is logged.

mod arrive;
mod details;
mod failure;
mod same_origin;
mod status;
mod texts;
mod view;
mod visit;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use http::{Method, header};
use stallkeeper::http::{Request, Response, negotiate};
use stallkeeper::marketplace::Marketplace;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

use failure::{Failed, Failure};
use texts::Language;

/// The function.
#[derive(Debug)]
pub struct Registration {
    store: Store,
    marketplace: Marketplace,
}

impl Registration {
    /// The function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock), marketplace: Marketplace::new(config) }
    }

    /// Answers one event. Whatever it holds, there is an answer, with the security headers.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::read(event);
        let language = texts::language_of(&request);
        let as_json = negotiate::prefers_json(request.header(header::ACCEPT).unwrap_or_default());
        let response = match self.route(&request, language).await {
            Ok(response) => response,
            Err(failed) => failed.answer(language, as_json),
        };
        self.note_outcomes().await;
        let mut answer = ApiGatewayV2httpResponse::from(response);
        view::secure(&mut answer.headers, language);
        if request.method == Method::HEAD {
            answer.body = Some(Body::Empty);
        }
        answer
    }

    /// Leaves for the auditor what AWS let this function do.
    async fn note_outcomes(&self) {
        self.store.note_outcomes("registration", self.marketplace.take_outcomes()).await;
    }

    async fn route(&self, request: &Request, language: Language) -> Result<Response, Failed> {
        match (request.path.as_str(), &request.method) {
            ("/register", &Method::POST) => self.arrive(request).await,
            ("/register", &Method::GET | &Method::HEAD) => self.show(request, language).await,
            ("/register", _) => Err(Failure::MethodNotAllowed("GET, HEAD, POST").into()),
            ("/register/details", &Method::POST) => self.details(request, language).await,
            ("/register/details", _) => Err(Failure::MethodNotAllowed("POST").into()),
            ("/register/status", &Method::GET | &Method::HEAD) => self.status(request, language).await,
            ("/register/status", _) => Err(Failure::MethodNotAllowed("GET, HEAD").into()),
            _ => Err(Failure::RouteUnknown.into()),
        }
    }
}

/// A request of that form, as API Gateway would hand it over.
#[cfg(test)]
fn request_for_tests(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let event = serde_json::json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default", "timeEpoch": 0},
        "body": body,
        "isBase64Encoded": false,
    });
    Request::read(serde_json::from_value(event).unwrap())
}
