//! The dimensions of a listing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::DimensionKey;

/// A unit that a listing prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The key in the catalog.
    pub key: DimensionKey,
    /// The name that buyers read.
    pub name: String,
    /// The pricing types, in the catalog's terms.
    pub types: BTreeSet<DimensionType>,
    /// The entitled dimension of which this one is the overage, in a contract with consumption. Usage of it is reported
    /// whole, and the amount of the other dimension that the contract includes is not billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage_of: Option<DimensionKey>,
    /// The unit of measure, for example `users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The description for buyers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Dimension {
    /// Returns `true` if usage of it is reported to AWS.
    pub fn is_metered(&self) -> bool {
        self.types.iter().any(|kind| match kind {
            DimensionType::Metered | DimensionType::ExternallyMetered => true,
            DimensionType::Entitled => false,
        })
    }

    /// Returns `true` if buyers hold an amount of it.
    pub fn is_entitled(&self) -> bool {
        self.types.contains(&DimensionType::Entitled)
    }
}

/// The catalog's type of a dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DimensionType {
    /// Bought in advance.
    Entitled,
    /// Metered by AWS itself.
    Metered,
    /// Metered by the seller's reports.
    ExternallyMetered,
}

impl DimensionType {
    /// Returns the name that the catalog uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entitled => "Entitled",
            Self::Metered => "Metered",
            Self::ExternallyMetered => "ExternallyMetered",
        }
    }
}
