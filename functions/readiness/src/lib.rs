//! The auditor: looks at a listing at AWS, at the pages that buyers meet, and at its own stack, and says how ready all of
//! it is.
//!
//! What is judged, and how, is `stallkeeper::readiness`; here it is looked: `pages` from outside over the `internet`, by
//! `probe`s, `stack` at AWS. Every source is asked at once and has its own time, so that one which is slow or refused
//! makes its own checks unknown and holds up nothing else.

mod api;
mod deployment;
pub mod html;
mod internet;
mod look;
mod pages;
mod probe;
mod stack;
pub mod text;

use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use futures_util::FutureExt;
use futures_util::future::join_all;
use stallkeeper::aws::chain;
use stallkeeper::http::{Request, Response};
use stallkeeper::lifecycle;
use stallkeeper::listing::Listing;
use stallkeeper::marketplace::Catalog;
use stallkeeper::readiness::{Blind, Facts, Look, Report, ReviewSeen, assess};
use stallkeeper::registration::Door;
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::Clock;
use url::Url;

pub use deployment::{Deployment, Schedule};
pub use internet::{Internet, Known};

use look::look;
use stack::{Noted, StackClients};

/// The name under which the auditor's own runs are noted.
const RUN: &str = "readiness";

/// The function.
#[derive(Debug)]
pub struct Readiness {
    store: Store,
    table: String,
    config: SdkConfig,
    clients: OnceLock<(Catalog, StackClients)>,
    deployment: Deployment,
    internet: Internet,
}

impl Readiness {
    /// The function on the table of that name, for a stack whose parts are called so.
    pub fn new(config: &SdkConfig, table: &str, deployment: Deployment, internet: Internet, clock: Clock) -> Self {
        Self {
            store: Store::new(config, table, clock),
            table: table.to_owned(),
            config: config.clone(),
            clients: OnceLock::new(),
            deployment,
            internet,
        }
    }

    /// Answers one request.
    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::read(event);
        let response: Response = self.answer(&request).await.unwrap_or_else(Response::from);
        // Not the path: who calls may have put anything there.
        let (method, status) = (request.method.as_str(), response.status.as_u16());
        tracing::info!(method, status, counter = "api", "answered");
        response.into()
    }

    /// Looks at every listing of the stack, as it does by the clock. One of which the report cannot be kept holds up no
    /// other.
    ///
    /// # Errors
    ///
    /// When the table does not answer: of the first listing of which it did not.
    pub async fn run(&self, registration: Option<Url>) -> Result<Vec<Report>, StoreError> {
        let registration = self.deployment.registration_url.clone().or(registration);
        let listings = self.store.all_listings().await?;
        let looks = listings.iter().map(|listing| self.look_at(listing, registration.clone()).boxed());
        let mut reports = Vec::new();
        let mut failed = None;
        for report in join_all(looks).await {
            match report {
                Ok(report) => reports.push(report),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "a report was not made");
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or(Ok(reports), Err)
    }

    /// Looks at a listing, judges what was seen, and keeps the report.
    async fn look_at(&self, listing: &Listing, registration: Option<Url>) -> Result<Report, StoreError> {
        self.store.note_run(RUN).await;
        let product = &listing.product_code;
        let (facts, attestations, earlier) = tokio::join!(
            // On the heap: it is larger than a thread's stack likes.
            self.gather(listing, registration).boxed(),
            self.store.attestations(product),
            self.store.latest_report(product),
        );
        let report = assess(&facts, &attestations?, earlier?.as_ref());
        self.store.put_report(&report).await?;
        let open = report.steps.iter().find(|step| step.next.is_some()).map_or("none", |step| step.step.as_str());
        tracing::info!(%product, report = %report.id, open, "looked at a listing");
        Ok(report)
    }

    /// Looks at everything at once.
    async fn gather<'a>(&self, listing: &'a Listing, registration: Option<Url>) -> Facts<'a> {
        let (catalog, stack) = self.clients();
        let (product, table) = (&listing.product_code, "the table");
        let page_and_application = async {
            let made = lifecycle::make_probe(&self.store, listing, Door::SignUp);
            let probe = look(table, "dynamodb:PutItem", made).await;
            let address = registration.ok_or_else(|| Blind::Unreachable {
                what: "the registration page".to_owned(),
                reason: "its address is not known before the API is called once, or the stack has a domain".to_owned(),
            });
            tokio::join!(self.internet.registration_page(address, &probe), self.internet.application(listing, &probe))
        };
        let stack = async {
            let (runs, outcomes) = tokio::join!(
                look(table, "dynamodb:Query", self.store.runs()),
                look(table, "dynamodb:Query", self.store.outcomes()),
            );
            stack.see(&self.deployment, &self.table, Noted { runs, outcomes }).await
        };
        let at_aws = "AWS Marketplace's catalog";
        let review = async {
            let asked = catalog.public_requested(&listing.product_id);
            let public_requested = look(at_aws, "aws-marketplace:ListChangeSets", asked).await?;
            Look::Ok(ReviewSeen { public_requested })
        };
        let (product, offers, review, (page, application), stack, evidence) = tokio::join!(
            look(at_aws, "aws-marketplace:DescribeEntity", catalog.product(&listing.product_id)),
            look(at_aws, "aws-marketplace:ListEntities", catalog.offers(&listing.product_id)),
            review,
            page_and_application,
            stack,
            look(table, "dynamodb:Query", self.store.evidence(product)),
        );
        let now = self.store.clock().now();
        Facts { listing, now, product, offers, review, page, application, stack, evidence }
    }

    /// What AWS is asked with, built with the first look: a report that is read needs none of it.
    fn clients(&self) -> &(Catalog, StackClients) {
        self.clients.get_or_init(|| (Catalog::new(&self.config), StackClients::new(&self.config)))
    }
}
