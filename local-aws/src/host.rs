//! The operations that the local AWS reads, and its host answers: those that describe or run what the host has deployed.
//!
//! A [`HostService`] is given at start. It takes a [`HostCall`] and returns a [`HostReply`] or the error of the service.
//! The other items here read requests by the rules of AWS's API models and write answers, in every protocol.

use http::HeaderMap;
use jiff::Timestamp;
use tower::util::BoxCloneSyncService;

pub use crate::error::ServiceError;
pub use crate::input::{BadInput, Input, Problem, TextRule, only, text};
pub use crate::operations::pages::{Cursor, query};
pub use crate::protocol::{Document, Record};
pub use crate::service::Service;

/// The service that answers the host's operations; [`tower::service_fn`] makes one of an async function.
pub type HostService = BoxCloneSyncService<HostCall, HostReply, ServiceError>;

/// A call of an operation that the host answers.
#[derive(Debug, Clone)]
pub struct HostCall {
    /// The service.
    pub service: Service,
    /// The operation, one of those of the service.
    pub operation: String,
    /// The function that the path names, in a call of Lambda.
    pub function: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The request.
    pub request: Document,
    /// The time of the call.
    pub now: Timestamp,
}

/// The answer of the host.
#[derive(Debug, Clone, PartialEq)]
pub enum HostReply {
    /// A document.
    Answer(Document),
    /// No content: Lambda's answer to a dry run.
    Empty,
    /// The error with which the function ended that Lambda has run.
    FunctionError(Document),
}
