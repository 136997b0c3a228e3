//! The registration URL: the pages between "Set up your account" on AWS Marketplace and the application.
//!
//! The steps of a registration, file by file: `register` resolves the token and opens a session, `visit` shows the page,
//! `details` takes the contact and redirects the buyer to the application, `status` shows the state of the license.
//! `contact_form` has the fields of the page and judges what was entered; `form`, `same_origin` and `preferences` read
//! the parts of a request; `failure` has every error and its answer, `view` the pages with their headers, `texts` their
//! messages.
//!
//! A token proves a purchase, not an identity: no page shows what an earlier visitor entered, and a license that belongs
//! to a tenant offers only to sign in. No token, address, name, cookie or code is logged.

mod contact_form;
mod context;
mod details;
mod failure;
mod form;
mod preferences;
mod register;
mod same_origin;
mod status;
mod texts;
mod view;
mod visit;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clock::Clock;
use context::Context;
use failure::{Failed, Failure};
use http::Method;
use lambda::http::{MAX_BODY_BYTES, gateway};
use marketplace::Marketplace;
use preferences::Preferences;
use std::sync::Arc;
use store::Store;

/// The function.
#[derive(Debug)]
pub struct Registration {
    context: Arc<Context>,
    routes: Router,
}

fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/register", get(visit::show).post(register::register))
        .route("/register/details", post(details::details))
        .route("/register/status", get(status::status))
        .fallback(async || Failed::from(Failure::RouteUnknown))
        .method_not_allowed_fallback(async || Failed::from(Failure::MethodNotAllowed))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(finish))
}

impl Registration {
    /// Creates the function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        let store = Store::new(config, table, clock);
        let context = Arc::new(Context { store, marketplace: Marketplace::new(config) });
        Self { routes: routes().with_state(Arc::clone(&context)), context }
    }

    /// Answers one request. Every event has an answer, with the security headers.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let preferences = Preferences::of(event.raw_query_string.as_deref(), &event.headers);
        let is_head = event.request_context.http.method == Method::HEAD;
        let answer = match gateway::answer(&self.routes, event).await {
            Ok(answer) => answer,
            Err(invalid) => {
                let response = finished(Failed::from(invalid).into_response(), preferences);
                let mut answer = gateway::response(response).await;
                if is_head {
                    answer.body = None;
                }
                answer
            }
        };
        self.context.note_outcomes().await;
        answer
    }
}

async fn finish(preferences: Preferences, request: Request, next: Next) -> Response {
    finished(next.run(request).await, preferences)
}

/// Renders the failure that a handler returned, and adds the headers that every answer has.
fn finished(mut response: Response, preferences: Preferences) -> Response {
    if let Some(failed) = Failed::take(&mut response) {
        response = failed.answer(preferences);
    }
    view::secure(response.headers_mut(), preferences.language);
    response
}

/// Builds a request with these headers and this body.
#[cfg(test)]
fn request_for_tests(headers: &[(&str, &str)], body: &str) -> Request {
    let request = headers.iter().fold(http::Request::post("/"), |request, (name, value)| request.header(*name, *value));
    request.body(body.to_owned().into()).unwrap()
}

/// Returns the body of a response, which is complete from the start.
#[cfg(test)]
fn text_for_tests(response: Response) -> String {
    use futures_util::FutureExt;

    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).now_or_never().unwrap().unwrap();
    String::from_utf8(bytes.into()).unwrap()
}
