//! The state that the handlers share.

use lambda::topic::Topic;
use marketplace::Marketplace;
use store::Store;

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) marketplace: Marketplace,
    pub(crate) topic: Topic,
}
