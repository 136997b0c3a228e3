//! How far the reconciliation is with its walk of the day.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, keys};
use crate::ids::{LicenseId, ProductCode};
use crate::license::StateName;

/// How far the reconciliation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// The day, in UTC, whose walk this is.
    pub day: Date,
    /// Where the walk goes on; none once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Stop>,
    /// The licenses that could not be looked at, to be tried in the next run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<LicenseId>,
}

/// A place in the walk over everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "walk", rename_all = "snake_case")]
pub enum Stop {
    /// Among the licenses that were written in a state.
    Licenses {
        /// The state.
        state: StateName,
        /// The last page that is done ended here; none before the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Among the agreements that AWS has about the listings.
    Agreements {
        /// The last listing that is done; none before the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<ProductCode>,
    },
}

impl Store {
    /// How far the reconciliation is; none before its first run.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn reconciled(&self) -> Result<Option<Reconciled>, StoreError> {
        self.get(&keys::reconciliation()).await
    }

    /// Writes down how far the reconciliation is. Going through a part of it again does no harm.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn set_reconciled(&self, reconciled: &Reconciled) -> Result<(), StoreError> {
        self.put(&keys::reconciliation(), reconciled).await
    }
}
