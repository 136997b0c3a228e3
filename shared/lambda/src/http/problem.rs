//! Problem documents, and the one place that creates them from errors.

use std::borrow::Cow;
use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::body::BodyError;
use domain::errors::chain;
use domain::ids::LicenseId;
use store::StoreError;

/// The longest detail about a parameter, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// A problem document (RFC 9457), with a stable code and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    pub(super) code: &'static str,
    title: Cow<'static, str>,
    detail: Option<String>,
    action: Option<Cow<'static, str>>,
    headers: Vec<(HeaderName, String)>,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("type", &format!("urn:stallkeeper:problem:{}", self.code))?;
        document.serialize_entry("title", &self.title)?;
        document.serialize_entry("status", &self.status.as_u16())?;
        document.serialize_entry("code", self.code)?;
        for (name, text) in [("detail", self.detail.as_deref()), ("action", self.action.as_deref())] {
            if let Some(text) = text {
                document.serialize_entry(name, text)?;
            }
        }
        document.end()
    }
}

impl Problem {
    /// Creates a problem with a code.
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, title: title.into(), detail: None, action: None, headers: Vec::new() }
    }

    /// Adds the reason in this case.
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Adds the next step.
    pub fn action(mut self, action: impl Into<Cow<'static, str>>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Adds a header of the answer.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Creates the problem of a path without a handler.
    pub fn route_unknown(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "route_unknown", "The path does not exist.")
            .detail(detail)
            .action("Check the path and the method in the API's documentation.")
    }

    /// Creates the problem of an invalid parameter of the path or query, or an invalid field.
    pub fn invalid(what: &str, why: impl fmt::Display) -> Self {
        Self::parameter_invalid(&format_args!("{what}: {why}"))
    }

    /// Creates the same problem from a detail that names the parameter itself.
    pub(super) fn parameter_invalid(detail: &dyn fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "parameter_invalid", "A parameter is invalid.")
            .detail(beginning(&detail.to_string()))
            .action("Correct the parameter and send the request again.")
    }

    /// Creates the problem of an unknown license.
    pub fn license_unknown(id: &LicenseId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "license_unknown", "The license is unknown.")
            .detail(format!("no registration and no event of AWS has named {id} yet"))
            .action("Check the id. A license becomes known when its buyer registers or AWS sends an event about it.")
    }

    /// Creates the problem of a dependency that does not answer.
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Stallkeeper cannot answer right now.")
            .action("Send the same request again after the time that Retry-After names.")
            .header(header::RETRY_AFTER, "5")
    }

    pub(super) fn body(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::body_too_large(error),
            BodyError::Incomplete | BodyError::NotText | BodyError::WrongType(_) => Self::body_unreadable(error),
        }
    }

    fn body_too_large(error: BodyError) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large.")
            .detail(error)
            .action("Send it in several requests of at most 1 MiB each. Nothing of this request was processed.")
    }

    pub(super) fn body_unreadable(error: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "body_unreadable", "The body cannot be read.")
            .detail(error)
            .action("Send the body as UTF-8, with the content type of the API's documentation.")
    }
}

/// Returns the start of a text, which may contain what the caller sent.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(MAX_DETAIL_CHARS).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = serde_json::to_string(&self).unwrap_or_default();
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.status, [content_type], document).into_response();
        // A value that is not a header's is left out.
        let headers = self.headers.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        response.headers_mut().extend(headers);
        response
    }
}

/// The reason why a request to the API failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Something is wrong with the request.
    #[error("the request was refused")]
    Problem(Problem),
    /// Something is wrong with the table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Store(StoreError::BadCursor) => {
                Problem::invalid("cursor", "not one that this query has returned").into_response()
            }
            Self::Store(error) => {
                tracing::error!(error = %chain(&error), counter = "api_unavailable", "Failed to answer a request: the table did not answer");
                Problem::unavailable().into_response()
            }
        }
    }
}
