//! TBD

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use stallkeeper::marketplace::Marketplace;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

/// The function.
#[derive(Debug)]
pub struct Subscription {
    store: Store,
    marketplace: Marketplace,
}

impl Subscription {
    /// The function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock), marketplace: Marketplace::new(config) }
    }

    /// Answers one event.
    pub async fn handle(&self, _event: SqsEvent) -> SqsBatchResponse {
        SqsBatchResponse::default()
    }
}
