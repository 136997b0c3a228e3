//! The state that the handlers share.

use lambda::metrics::{Metric, Metrics};
use store::Store;

use crate::cache::IntakeCache;

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) cache: IntakeCache,
    pub(crate) metrics: Metrics,
    pub(crate) dry_run: bool,
}

impl Context {
    /// Counts what is not zero.
    pub(crate) fn count(&self, counted: &[(Metric, usize)]) {
        let values = counted.iter().filter(|(_, count)| *count > 0);
        let values = values.map(|(metric, count)| (*metric, u64::try_from(*count).unwrap_or(u64::MAX))).collect();
        self.metrics.write(self.store.clock().now(), &values);
    }
}
