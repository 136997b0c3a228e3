//! The entities of the catalog, and the errors of changes to them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// Entities by their ids.
pub(crate) type Entities = BTreeMap<String, Entity>;

/// A product or an offer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entity {
    pub id: String,
    pub kind: EntityKind,
    /// The revision, which counts the entity's changes from 1.
    pub revision: u32,
    pub modified: Timestamp,
    pub details: Map<String, Value>,
}

/// The kinds of entities that the catalog has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EntityKind {
    /// `SaaSProduct@1.0`
    #[serde(rename = "SaaSProduct@1.0")]
    Product,
    /// `Offer@1.0`
    #[serde(rename = "Offer@1.0")]
    Offer,
}

impl EntityKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 2] = [Self::Product, Self::Offer];

    /// Returns the name without a version, the form in lists and ARNs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Product => "SaaSProduct",
            Self::Offer => "Offer",
        }
    }

    /// Returns the name with its version, the form in changes and descriptions.
    pub(crate) fn versioned(self) -> &'static str {
        match self {
            Self::Product => "SaaSProduct@1.0",
            Self::Offer => "Offer@1.0",
        }
    }
}

/// An error of a change in a change set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorDetail {
    /// The error code of AWS.
    pub code: String,
    /// The message, for a human reader.
    pub message: String,
}

impl ErrorDetail {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}
