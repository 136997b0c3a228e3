//! API Gateway: an HTTP API in front of the functions of one stack.
//!
//! `/register*` goes to `registration`, open to everybody; `/v1/*` goes to `entitlement`, behind the IAM authorizer.
//! **The authorizer does not verify signatures**: it takes the access key for the caller and refuses only a request
//! that carries none.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderName, HeaderValue, StatusCode, header};
use stallkeeper::time::Clock;

use crate::event::{Arrived, Caller, http_response, read};
use crate::queue::uuid;
use crate::stack::{Function, NoAnswer, Stack};

/// The largest request of an HTTP API (API Gateway quotas).
const LARGEST_REQUEST: usize = 10 * 1024 * 1024;

/// The largest body that Lambda takes in a synchronous call.
const LARGEST_EVENT_BODY: usize = 6 * 1024 * 1024;

/// One stack's API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) stack: Arc<Stack>,
    pub(crate) clock: Clock,
    /// The account that it belongs to.
    pub(crate) account: Arc<str>,
}

/// The routes of a stack's API.
pub(crate) fn routes(api: Api) -> Router {
    Router::new()
        .route("/register", any(registration))
        .route("/register/{*proxy}", any(registration))
        .route("/v1", any(entitlement))
        .route("/v1/{*proxy}", any(entitlement))
        .with_state(api)
}

async fn registration(State(api): State<Api>, from: ConnectInfo<SocketAddr>, request: Request) -> Response {
    api.answer(Function::Registration, from.0, request).await
}

async fn entitlement(State(api): State<Api>, from: ConnectInfo<SocketAddr>, request: Request) -> Response {
    api.answer(Function::Entitlement, from.0, request).await
}

impl Api {
    async fn answer(&self, function: Function, from: SocketAddr, request: Request) -> Response {
        let request_id = uuid();
        let mut response =
            self.call(function, from, request, &request_id).await.unwrap_or_else(IntoResponse::into_response);
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(HeaderName::from_static("apigw-requestid"), id);
        }
        response
    }

    async fn call(
        &self,
        function: Function,
        from: SocketAddr,
        request: Request,
        request_id: &str,
    ) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        let (route, caller) = match function {
            Function::Registration => ("register", None),
            Function::Entitlement => ("v1", Some(Caller::read(&head.headers).ok_or(Refusal::Forbidden)?)),
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

/// What API Gateway answers by itself.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// Not signed.
    Forbidden,
    /// More than Lambda takes.
    TooLarge,
    /// The function took too long.
    Unavailable,
    /// The function ended without an answer, or with one that is none.
    Failed,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Forbidden => (StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, r#"{"message":"Request Entity Too Large"}"#),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Service Unavailable"}"#),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"Internal Server Error"}"#),
        };
        (status, [(header::CONTENT_TYPE, "application/json")], message).into_response()
    }
}
