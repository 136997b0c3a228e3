//! From an event of API Gateway to a router and back.
//!
//! `lambda_http` reads the event and writes the answer. What it would panic at, or route to another path than the one
//! that API Gateway authorized, is refused before.

use std::convert::Infallible;
use std::future::ready;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext, ApiGatewayV2httpResponse};
use axum::Router;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, StatusCode, Uri, header};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::tower::service_fn;
use lambda_http::{Adapter, Context, LambdaEvent, Service};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::api::no_store;
use super::problem::Problem;

/// The characters that are percent-encoded in a path: all but those of RFC 3986, 3.3.
const NOT_IN_PATH: AsciiSet = NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The reason why an event is not handed to a router. API Gateway sends no such event; a direct invocation can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// The body claims to be base64 and is not.
    #[error("the body is declared as base64 and is not")]
    BodyNotBase64,
    /// A segment of the path is `.` or `..`, which would name another path.
    #[error("a segment of the path is `.` or `..`")]
    PathNotNormal,
    /// The host, the protocol or the query does not belong in a URL.
    #[error("the host, the protocol or the query cannot be part of a URL")]
    UrlInvalid,
}

impl From<InvalidEvent> for Problem {
    fn from(invalid: InvalidEvent) -> Self {
        match invalid {
            InvalidEvent::BodyNotBase64 => Self::body_unreadable(invalid),
            InvalidEvent::PathNotNormal | InvalidEvent::UrlInvalid => Self::route_unknown(invalid),
        }
    }
}

/// Answers an event by the routes of a function.
///
/// # Errors
///
/// Fails with an [`InvalidEvent`] before any route is called.
pub async fn answer(routes: &Router, event: ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpResponse, InvalidEvent> {
    Ok(through_adapter(routes.clone(), checked(event)?).await)
}

/// Answers an event by the routes of a function of the seller's API, and logs the status.
pub async fn answer_api(routes: &Router, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let method = event.request_context.http.method.clone();
    let answer = match answer(routes, event).await {
        Ok(answer) => answer,
        Err(invalid) => response(no_store(Problem::from(invalid).into_response()).await).await,
    };
    // Not the path: the caller may have put anything there.
    tracing::info!(method = method.as_str(), status = answer.status_code, counter = "api", "Answered a request");
    answer
}

/// Writes a response as API Gateway takes it.
pub async fn response(response: Response) -> ApiGatewayV2httpResponse {
    let mut response = Some(response);
    let service = service_fn(move |_: lambda_http::Request| ready(Ok(response.take().unwrap_or_default())));
    through_adapter(service, ApiGatewayV2httpRequest::default()).await
}

async fn through_adapter<S>(service: S, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse
where
    S: Service<lambda_http::Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Answer = <Adapter<'static, Response, Router> as Service<LambdaEvent<LambdaRequest>>>::Response;
    let event = LambdaEvent::new(LambdaRequest::ApiGatewayV2(event), Context::default());
    // The adapter is not `Send`, and its answer is.
    let answer = Adapter::from(service).call(event);
    match answer.await {
        Ok(Answer::ApiGatewayV2(answer)) => answer,
        // The adapter answers an event of its kind; its type has the kinds of other gateways too.
        Ok(_) => unanswered(),
        Err(never) => match never {},
    }
}

fn unanswered() -> ApiGatewayV2httpResponse {
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = StatusCode::INTERNAL_SERVER_ERROR.as_u16().into();
    answer
}

/// Returns the event as `lambda_http` reads it without loss: the path percent-encoded, since API Gateway hands it on
/// decoded once, and without the API's stage.
///
/// # Errors
///
/// Fails where `lambda_http` would panic, or read another path than the event has.
fn checked(mut event: ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpRequest, InvalidEvent> {
    if event.is_base64_encoded && event.body.as_ref().is_some_and(|body| STANDARD.decode(body).is_err()) {
        return Err(InvalidEvent::BodyNotBase64);
    }
    // `$default` is not part of a path. Where a path starts with it, the caller wrote it.
    let stage = event.request_context.stage.take().filter(|stage| stage != "$default").unwrap_or_default();
    let path = event.raw_path.take().unwrap_or_default();
    let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(&stage));
    let path = below.filter(|below| !stage.is_empty() && below.starts_with('/')).unwrap_or(&path);
    let path = utf8_percent_encode(path, &NOT_IN_PATH).to_string();
    let path = if path.starts_with('/') { path } else { format!("/{path}") };

    let text = |name| event.headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST.as_str()).or(event.request_context.domain_name.as_deref());
    let scheme = text("x-forwarded-proto").unwrap_or("https");
    let url = Url::parse(&format!("{scheme}://{}{path}", host.unwrap_or("localhost")));
    let url = url.map_err(|_| InvalidEvent::UrlInvalid)?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(InvalidEvent::UrlInvalid);
    }
    if url.path() != path {
        return Err(InvalidEvent::PathNotNormal);
    }
    let uri = match event.raw_query_string.as_deref() {
        None | Some("") => Uri::try_from(url.as_str()),
        Some(query) => Uri::try_from(format!("{url}?{query}")),
    };
    uri.map_err(|_| InvalidEvent::UrlInvalid)?;
    event.raw_path = Some(path);
    Ok(event)
}

/// Returns what API Gateway knows of a request beside HTTP; none where the request did not come through it.
pub(super) fn context(extensions: &Extensions) -> Option<&ApiGatewayV2httpRequestContext> {
    match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
