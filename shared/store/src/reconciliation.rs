//! The progress of the reconciliation with its daily walk.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, keys};
use domain::ids::{LicenseId, ProductCode};
use domain::license::StateName;

/// The progress of the reconciliation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciliationProgress {
    /// The day of the walk, in UTC.
    pub day: Date,
    /// The place where the walk continues; `None` once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<WalkPosition>,
    /// The licenses that could not be checked. The next run tries them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_retry: Vec<LicenseId>,
}

/// A place in the walk over all licenses and agreements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "walk", rename_all = "snake_case")]
pub enum WalkPosition {
    /// Among the licenses that were written in a state.
    Licenses {
        /// The state.
        state: StateName,
        /// The end of the last page that is done; `None` before the first page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Among the agreements that AWS has about the listings.
    Agreements {
        /// The last listing that is done; `None` before the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<ProductCode>,
    },
}

impl Store {
    /// Reads the progress of the reconciliation; `None` before its first run.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn reconciliation_progress(&self) -> Result<Option<ReconciliationProgress>, StoreError> {
        self.get(&keys::reconciliation()).await
    }

    /// Writes the progress of the reconciliation. Repeating a part of the walk does no harm.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn set_reconciliation_progress(&self, reconciled: &ReconciliationProgress) -> Result<(), StoreError> {
        self.put(&keys::reconciliation(), reconciled).await
    }
}
