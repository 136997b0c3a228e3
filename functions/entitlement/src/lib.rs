//! The seller's API: the buyers who arrive, licenses, the tenants that they belong to, what a tenant may use, and what
//! was told of it all.
//!
//! Beside it, the [`Reconciliation`] with what AWS Marketplace shows, which has a schedule and a binary of its own.
//!
//! API Gateway has checked the caller's signature before a request arrives here. A decision costs one query of the
//! table and no call to AWS Marketplace; once a minute the listing that it goes by is read besides, and once a day it is
//! noted for the auditor that the application asks. The only route that asks AWS is the one that reconciles a license.

mod contacts;
mod events;
mod handoffs;
mod imports;
mod licenses;
mod probes;
mod reconcile;
mod reconciliation;
mod tenants;
mod view;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::Method;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::marketplace::Marketplace;
use stallkeeper::store::Store;
use stallkeeper::time::Clock;
use stallkeeper::topic::Topic;

pub use reconciliation::{Reconciliation, Report};

/// The function.
#[derive(Debug)]
pub struct EntitlementApi {
    store: Store,
    marketplace: Marketplace,
    topic: Topic,
}

impl EntitlementApi {
    /// The function on the table of that name, before the topic of that ARN.
    pub fn new(config: &SdkConfig, table: &str, topic: &str, clock: Clock) -> Self {
        Self {
            store: Store::new(config, table, clock),
            marketplace: Marketplace::new(config),
            topic: Topic::new(config, topic),
        }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::read(event);
        let response: Response = self.answer(&request).await.unwrap_or_else(Response::from);
        self.store.note_outcomes("entitlement", self.marketplace.take_outcomes()).await;
        // Not the path: who calls may have put anything there.
        let (method, status) = (request.method.as_str(), response.status.as_u16());
        tracing::info!(method, status, counter = "api", "answered");
        response.into()
    }

    async fn answer(&self, request: &Request) -> Result<Response, Refusal> {
        let segments = request.segments();
        match segments.as_slice() {
            ["v1", "licenses"] => {
                request.only_method(&Method::GET)?;
                licenses::list(&self.store, request).await
            }
            ["v1", "licenses", license] => {
                request.only_method(&Method::GET)?;
                licenses::show(&self.store, request, license).await
            }
            ["v1", "licenses", license, "reconcile"] => {
                request.only_method(&Method::POST)?;
                reconcile::now(&self.store, &self.marketplace, request, license).await
            }
            ["v1", "licenses", license, "tenant"] => {
                request.only_method(&Method::PUT)?;
                licenses::link(&self.store, request, license).await
            }
            ["v1", "licenses", license, "tenant", "unlink"] => {
                request.only_method(&Method::POST)?;
                licenses::unlink(&self.store, request, license).await
            }
            ["v1", "licenses", license, "tenant", "move"] => {
                request.only_method(&Method::POST)?;
                licenses::move_on(&self.store, request, license).await
            }
            ["v1", "licenses", license, "contact"] => match request.method {
                Method::DELETE => contacts::erase(&self.store, request, license).await,
                _ => {
                    request.only_methods(&[Method::GET, Method::DELETE])?;
                    contacts::show(&self.store, request, license).await
                }
            },
            ["v1", "licenses", license, "events"] => {
                request.only_method(&Method::GET)?;
                events::list(&self.store, request, license).await
            }
            ["v1", "licenses", license, "events", "replay"] => {
                request.only_method(&Method::POST)?;
                events::replay_license(&self.store, &self.topic, request, license).await
            }
            ["v1", "events", "replay"] => {
                request.only_method(&Method::POST)?;
                events::replay_time(&self.store, &self.topic, request).await
            }
            ["v1", "probes"] => {
                request.only_method(&Method::POST)?;
                probes::make(&self.store, request).await
            }
            ["v1", "imports"] => {
                request.only_method(&Method::POST)?;
                imports::import(&self.store, request).await
            }
            ["v1", "handoffs"] => {
                request.only_method(&Method::POST)?;
                handoffs::redeem(&self.store, request).await
            }
            ["v1", "tenants", tenant] => {
                request.only_method(&Method::GET)?;
                tenants::show(&self.store, request, tenant).await
            }
            ["v1", "tenants", tenant, "entitlements"] => {
                request.only_method(&Method::GET)?;
                tenants::decide(&self.store, request, tenant).await
            }
            _ => Err(Problem::no_route(request).into()),
        }
    }
}
