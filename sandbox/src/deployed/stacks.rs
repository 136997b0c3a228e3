//! The stacks of the account, and reading members of a request about them.

use std::sync::Arc;

use jiff::Timestamp;
use local_aws::host::Document;

use crate::stack::Stack;

/// The stacks of the account.
#[derive(Debug)]
pub(super) struct Stacks {
    /// The endpoint URL of their AWS.
    pub(super) url: String,
    pub(super) account: String,
    /// The time at which the stacks were set up.
    pub(super) since: Timestamp,
    pub(super) stacks: Vec<Arc<Stack>>,
}

/// Returns a member of a request that is a text.
pub(super) fn text<'a>(request: &'a Document, name: &str) -> Option<&'a str> {
    match request {
        Document::Map(members) => match members.get(name)? {
            Document::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a member of a request that is a list.
pub(super) fn list<'a>(request: &'a Document, name: &str) -> Option<&'a [Document]> {
    match request {
        Document::Map(members) => match members.get(name)? {
            Document::List(values) => Some(values),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a member of a request that is a whole number.
pub(super) fn number(request: &Document, name: &str) -> Option<i64> {
    match request {
        Document::Map(members) => match members.get(name)? {
            Document::Integer(number) => Some(*number),
            _ => None,
        },
        _ => None,
    }
}
