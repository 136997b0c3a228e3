//! The seller's API: registration handoffs, licenses, the tenants that they belong to, entitlement decisions, and the
//! published events.
//!
//! The [`Reconciliation`] with what AWS Marketplace shows has a schedule and a binary of its own.
//!
//! API Gateway has checked the caller's signature before a request arrives here. A decision costs one query of the
//! table and no call to AWS Marketplace; once a minute it also reads the listing, and once a day it notes for the auditor
//! that the application asks. The only route that calls AWS Marketplace is the one that reconciles a license.

mod contacts;
mod context;
mod contract;
mod events;
mod handoffs;
mod imports;
mod licenses;
mod probes;
mod problem_responses;
mod reconcile;
mod tenants;
mod view;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::Router;
use axum::routing::{get, post, put};
use clock::Clock;
use context::Context;
use lambda::http::{api, gateway};
use lambda::topic::Topic;
use marketplace::Marketplace;
use store::Store;

pub use contract::contract;

/// The function.
#[derive(Debug)]
pub struct EntitlementApi {
    routes: Router,
    context: Arc<Context>,
}

fn routes() -> Router<Arc<Context>> {
    api(Router::new()
        .route("/v1/handoffs", post(handoffs::redeem))
        .route("/v1/licenses", get(licenses::list))
        .route("/v1/licenses/{license}", get(licenses::show))
        .route("/v1/licenses/{license}/reconcile", post(reconcile::reconcile))
        .route("/v1/licenses/{license}/tenant", put(licenses::link))
        .route("/v1/licenses/{license}/tenant/unlink", post(licenses::unlink))
        .route("/v1/licenses/{license}/tenant/move", post(licenses::move_to_tenant))
        .route("/v1/licenses/{license}/contact", get(contacts::show).delete(contacts::erase))
        .route("/v1/licenses/{license}/events", get(events::list))
        .route("/v1/licenses/{license}/events/replay", post(events::replay_license))
        .route("/v1/events/replay", post(events::replay_period))
        .route("/v1/tenants/{tenant}", get(tenants::show))
        .route("/v1/tenants/{tenant}/entitlements", get(tenants::decide))
        .route("/v1/imports", post(imports::import))
        .route("/v1/probes", post(probes::create)))
}

impl EntitlementApi {
    /// Creates the function on the table of that name, with the topic of that ARN.
    pub fn new(config: &SdkConfig, table: &str, topic: &str, clock: Clock) -> Self {
        let context = Arc::new(Context {
            store: Store::new(config, table, clock),
            marketplace: Marketplace::new(config),
            topic: Topic::new(config, topic),
        });
        Self { routes: routes().with_state(Arc::clone(&context)), context }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let response = gateway::answer_api(&self.routes, event).await;
        let Context { store, marketplace, .. } = &*self.context;
        store.note_outcomes("entitlement", marketplace.take_outcomes()).await;
        response
    }
}
