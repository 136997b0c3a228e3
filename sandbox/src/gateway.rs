//! API Gateway: an HTTP API in front of the functions of one stack.
//!
//! It has the routes of the template: `/register*` goes to `registration`, without authorization; the routes below
//! `/v1` go to `entitlement`, `usage` and `readiness`, behind the IAM authorizer. **The authorizer does not verify
//! signatures**: it takes the access key as the caller, and rejects only a request without one.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use clock::Clock;
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use local_aws::Caller;

use crate::event::{Arrived, http_response, read};
use crate::queue::uuid;
use crate::stack::{Function, NoAnswer, Stack};

/// The largest request of an HTTP API, in bytes (API Gateway quotas).
const LARGEST_REQUEST: usize = 10 * 1024 * 1024;

/// The largest body that Lambda accepts in a synchronous call, in bytes.
const LARGEST_EVENT_BODY: usize = 6 * 1024 * 1024;

/// The API of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) stack: Arc<Stack>,
    pub(crate) clock: Clock,
    /// The account that owns the API.
    pub(crate) account: Arc<str>,
}

/// The routes of a stack's API.
pub(crate) fn routes(api: Api) -> Router {
    Router::new()
        .route("/register", any(answer))
        .route("/register/{*proxy}", any(answer))
        .route("/v1", any(answer))
        .route("/v1/{*proxy}", any(answer))
        .with_state(api)
}

async fn answer(State(api): State<Api>, from: ConnectInfo<SocketAddr>, request: Request) -> Response {
    match route(request.uri().path()) {
        Some((function, route)) => api.answer(function, route, from.0, request).await,
        None => Refusal::NotFound.into_response(),
    }
}

/// Returns the route of the template that a path matches, and the function behind it. As in API Gateway, a route with a
/// parameter takes precedence over one with a greedy parameter.
pub(crate) fn route(path: &str) -> Option<(Function, &'static str)> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["register"] => Some((Function::Registration, "/register")),
        ["register", ..] => Some((Function::Registration, "/register/{proxy+}")),
        ["v1", "usage"] => Some((Function::Usage, "/v1/usage")),
        ["v1", "usage", ..] => Some((Function::Usage, "/v1/usage/{proxy+}")),
        ["v1", "licenses", _, "usage"] => Some((Function::Usage, "/v1/licenses/{license}/usage")),
        ["v1", "licenses"] => Some((Function::Entitlement, "/v1/licenses")),
        ["v1", "licenses", ..] => Some((Function::Entitlement, "/v1/licenses/{proxy+}")),
        ["v1", "events", ..] if segments.len() > 2 => Some((Function::Entitlement, "/v1/events/{proxy+}")),
        ["v1", "probes"] => Some((Function::Entitlement, "/v1/probes")),
        ["v1", "imports"] => Some((Function::Entitlement, "/v1/imports")),
        ["v1", "handoffs"] => Some((Function::Entitlement, "/v1/handoffs")),
        ["v1", "readiness"] => Some((Function::Readiness, "/v1/readiness")),
        ["v1", "readiness", ..] => Some((Function::Readiness, "/v1/readiness/{proxy+}")),
        ["v1", "tenants", ..] if segments.len() > 2 => Some((Function::Entitlement, "/v1/tenants/{proxy+}")),
        _ => None,
    }
}

/// Returns the event that a function receives for a request to an API of this account.
///
/// # Errors
///
/// Fails when `aws_lambda_events` cannot read the event.
pub fn event(
    request: &http::Request<String>,
    account: &str,
    at: Timestamp,
) -> Result<ApiGatewayV2httpRequest, serde_json::Error> {
    let (path, headers) = (request.uri().path(), request.headers());
    let arrived = Arrived {
        method: request.method(),
        path,
        query: request.uri().query().unwrap_or_default(),
        headers,
        body: request.body().as_bytes(),
        source_ip: "192.0.2.1".to_owned(),
        at,
        request_id: uuid(),
        account,
        route: route(path).map_or("$default", |(_, route)| route),
        caller: Caller::read(headers),
    };
    read(&arrived.to_json())
}

impl Api {
    async fn answer(&self, function: Function, route: &str, from: SocketAddr, request: Request) -> Response {
        let request_id = uuid();
        let mut response =
            self.call((function, route), from, request, &request_id).await.unwrap_or_else(IntoResponse::into_response);
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(HeaderName::from_static("apigw-requestid"), id);
        }
        response
    }

    async fn call(
        &self,
        (function, route): (Function, &str),
        from: SocketAddr,
        request: Request,
        request_id: &str,
    ) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        let caller = match function {
            Function::Registration => None,
            Function::Entitlement | Function::Usage | Function::Readiness => {
                Some(Caller::read(&head.headers).ok_or(Refusal::Forbidden)?)
            }
        };
        let body = to_bytes(body, LARGEST_REQUEST).await.map_err(|_| Refusal::TooLarge)?;
        let arrived = Arrived {
            method: &head.method,
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body: &body,
            source_ip: from.ip().to_string(),
            at: self.clock.now(),
            request_id: request_id.to_owned(),
            account: &self.account,
            route,
            caller,
        };
        let event = arrived.to_json();
        if event.get("body").and_then(|body| body.as_str()).is_some_and(|body| body.len() > LARGEST_EVENT_BODY) {
            return Err(Refusal::TooLarge);
        }
        let event = read(&event).map_err(|error| {
            tracing::error!(%error, "the event is none");
            Refusal::Failed
        })?;
        let answer = self.stack.call(function, event).await.map_err(|error| {
            tracing::error!(?function, %error, "a function did not answer");
            match error {
                NoAnswer::TimedOut => Refusal::Unavailable,
                NoAnswer::Crashed => Refusal::Failed,
            }
        })?;
        http_response(answer).ok_or(Refusal::Failed)
    }
}

/// An answer that API Gateway gives by itself.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// No route matches.
    NotFound,
    /// The request is not signed.
    Forbidden,
    /// The request is larger than API Gateway or Lambda accepts.
    TooLarge,
    /// The function took too long.
    Unavailable,
    /// The function ended without an answer, or with an invalid one.
    Failed,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#),
            Self::Forbidden => (StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, r#"{"message":"Request Entity Too Large"}"#),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Service Unavailable"}"#),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"Internal Server Error"}"#),
        };
        (status, [(header::CONTENT_TYPE, "application/json")], message).into_response()
    }
}
