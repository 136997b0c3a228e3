//! The state that all pages share.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::decisions::DecisionCache;
use crate::outbox::Outbox;
use crate::stallkeeper::Stallkeeper;

/// The state that all pages share.
pub(crate) struct Application {
    pub(crate) stallkeeper: Stallkeeper,
    pub(crate) accounts: Accounts,
    pub(crate) decisions: DecisionCache,
    pub(crate) outbox: Outbox,
    pub(crate) https: bool,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Application {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
