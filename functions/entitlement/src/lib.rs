//! TBD

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use stallkeeper::marketplace::Marketplace;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;

/// The function.
#[derive(Debug)]
pub struct EntitlementApi {
    store: Store,
    marketplace: Marketplace,
}

impl EntitlementApi {
    /// The function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock), marketplace: Marketplace::new(config) }
    }

    /// Answers one event.
    pub async fn handle(&self, _event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        ApiGatewayV2httpResponse::default()
    }
}
