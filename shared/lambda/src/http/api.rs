//! The parts that all functions of the seller's API have in common: answers to unknown paths, limits and headers.

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

use super::body::MAX_BODY_BYTES;
use super::problem::Problem;

/// Adds to the routes of a function of the seller's API what all of them have in common: problem documents for paths and
/// methods that are not there, the limit of the body, and `Cache-Control: no-store`.
pub fn api<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(async |method: Method, uri: OriginalUri| {
            Problem::route_unknown(format_args!("{method} {}", uri.path()))
        })
        .method_not_allowed_fallback(async |method: Method| MethodNotAllowed(method))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(map_response(no_store))
}

/// The answer to a method that a path does not have; axum adds `Allow`.
struct MethodNotAllowed(Method);

impl IntoResponse for MethodNotAllowed {
    fn into_response(self) -> Response {
        let title = "This path does not have this method.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title)
            .detail(format_args!("the path does not allow {}", self.0))
            .action("Use a method that the Allow header names.")
            .into_response()
    }
}

/// Forbids every cache to keep an answer.
pub(super) async fn no_store(mut response: Response) -> Response {
    if response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}
