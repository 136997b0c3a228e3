//! What is answered when something is wrong: problem documents, and the one place that makes them of errors.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderName, StatusCode, header};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{BodyError, Request, Response};
use crate::aws::chain;
use crate::ids::LicenseId;
use crate::store::StoreError;

/// A problem document (RFC 9457), with a stable code and what to do.
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
    /// A problem of that code.
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, title: title.into(), detail: None, action: None, headers: Vec::new() }
    }

    /// What was wrong in this case.
    pub fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// What to do about it.
    pub fn action(mut self, action: impl Into<Cow<'static, str>>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// A header that goes with it.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// There is nothing at this path, or not by this method.
    pub fn no_route(request: &Request) -> Self {
        Self::new(StatusCode::NOT_FOUND, "route_unknown", "There is nothing here.")
            .detail(format!("{} {}", request.method, request.path))
            .action("Look the path and the method up in the documentation.")
    }

    /// A parameter of the path or query, or a field, that is not what it must be.
    pub fn invalid(what: &str, why: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "parameter_invalid", "A parameter is not what it must be.")
            .detail(format!("{what}: {why}"))
            .action("Mend the parameter and send the request again.")
    }

    /// Nothing was heard of a license.
    pub fn license_unknown(id: &LicenseId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "license_unknown", "There is no such license.")
            .detail(format!("nothing was heard of {id} yet"))
            .action("Check the id. A license appears when its buyer registers or AWS tells of it.")
    }

    /// Something that this stack rests on does not answer.
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Stallkeeper cannot answer right now.")
            .action("Send the same request again after the time that Retry-After names.")
            .header(header::RETRY_AFTER, "5")
    }

    pub(super) fn body(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::body_too_large(error),
            BodyError::NotBase64 | BodyError::NotText | BodyError::WrongType(_) => Self::body_unreadable(error),
        }
    }

    fn body_too_large(error: BodyError) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large.")
            .detail(error)
            .action("Send it in several requests of at most 1 MiB each. Nothing of this one was taken in.")
    }

    fn body_unreadable(error: BodyError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "body_unreadable", "The body cannot be read.")
            .detail(error)
            .action("Send UTF-8 of the content type that is asked for.")
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let response = Self::document(problem.status, "application/problem+json", &problem);
        problem.headers.into_iter().fold(response, |response, (name, value)| response.header(name, &value))
    }
}

/// Why a request to an API has no other answer. This is the one place that turns it into one.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What was wrong with the request.
    #[error("the request was refused")]
    Problem(Problem),
    /// What was wrong with the table.
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
