//! The state that the handlers share.

use marketplace::Marketplace;
use store::Store;

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) marketplace: Marketplace,
}

impl Context {
    /// Records for the auditor which calls AWS has allowed.
    pub(crate) async fn note_outcomes(&self) {
        self.store.note_outcomes("registration", self.marketplace.take_outcomes()).await;
    }
}
