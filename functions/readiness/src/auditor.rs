//! The audit of a listing: gathers the facts, has them judged, and stores the report.

use domain::errors::chain;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use clock::Clock;
use domain::listing::Listing;
use domain::registration::EntryPoint;
use marketplace::Catalog;
use readiness_checks::{Facts, Observation, ObservedReview, ObservedStack, Report, Unobserved, assess, terms};
use store::{Store, StoreError};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::deployment::Deployment;
use crate::internet::Internet;
use crate::query::{observe, within};
use crate::stack::StackClients;

/// The name under which the auditor records its scheduled runs.
const RUN: &str = "readiness";

/// The time that gathering all facts may take. Each source has a shorter timeout; a source that waits for another one
/// has the time that is left. With the reads before it and the writes after it, an audit run ends within 25 seconds:
/// API Gateway waits for 30 seconds, and Lambda for 29.
const GATHERED: Duration = Duration::from_secs(14);

/// The time that the table may take to return the listings, and to store a report.
const TABLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct Auditor {
    pub(crate) store: Store,
    table: String,
    config: SdkConfig,
    clients: OnceLock<(Catalog, StackClients)>,
    pub(crate) deployment: Deployment,
    internet: Internet,
}

impl Auditor {
    /// Creates an auditor for a table, and for a stack with the resources in `deployment`.
    pub(crate) fn new(
        config: &SdkConfig,
        table: &str,
        deployment: Deployment,
        internet: Internet,
        clock: Clock,
    ) -> Self {
        Self {
            store: Store::new(config, table, clock),
            table: table.to_owned(),
            config: config.clone(),
            clients: OnceLock::new(),
            deployment,
            internet,
        }
    }

    /// Audits every listing of the stack, as scheduled.
    pub(crate) async fn run(&self, registration: Option<Url>) -> Result<Vec<Report>, StoreError> {
        // Only scheduled runs are recorded, and before the audit: a run on demand proves nothing about the schedule.
        self.store.note_run(RUN).await;
        let registration = self.deployment.registration_url.clone().or(registration);
        let listings = in_time(self.store.all_listings()).await?;
        // The listings share the stack: it is checked once.
        let stack = self.stack().boxed().shared();
        let audits =
            listings.iter().map(|listing| self.audit(listing, registration.clone(), stack.clone().boxed()).boxed());
        let mut reports = Vec::new();
        let mut failed = None;
        for report in join_all(audits).await {
            match report {
                Ok(report) => reports.push(report),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "failed to create a report");
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or(Ok(reports), Err)
    }

    /// Gathers the facts about a listing, judges them, and stores the report.
    pub(crate) async fn audit(
        &self,
        listing: &Listing,
        registration: Option<Url>,
        stack: BoxFuture<'_, ObservedStack>,
    ) -> Result<Report, StoreError> {
        let product = &listing.product_code;
        let (facts, attestations, earlier) = tokio::join!(
            // Boxed: the future is larger than a thread's stack should hold.
            self.gather(listing, registration, stack).boxed(),
            self.store.attestations(product),
            self.store.latest_report(product),
        );
        let report = assess(&facts, &attestations?, earlier?.as_ref());
        in_time(self.store.put_report(&report)).await?;
        let open = report.steps.iter().find(|step| step.next_check.is_some()).map_or("none", |step| step.step.as_str());
        tracing::info!(%product, report = %report.id, open, "audited a listing");
        Ok(report)
    }

    /// Gathers all facts concurrently.
    async fn gather<'a>(
        &self,
        listing: &'a Listing,
        registration: Option<Url>,
        stack: BoxFuture<'_, ObservedStack>,
    ) -> Facts<'a> {
        let until = Instant::now() + GATHERED;
        let (catalog, _) = self.clients();
        let address = registration.ok_or_else(|| Unobserved::Unreachable {
            source: terms::REGISTRATION_PAGE.to_owned(),
            reason: terms::NO_ADDRESS.to_owned(),
        });
        let made = lifecycle::create_probe(&self.store, listing, EntryPoint::SignUp);
        let probe = observe(terms::TABLE, "dynamodb:PutItem", made).map(|made| made.map(Arc::new)).boxed().shared();
        // One query for each action: if AWS refuses it, the report names the action.
        let id = &listing.product_id;
        let offers = async {
            let ids = observe(terms::CATALOG, "aws-marketplace:ListEntities", catalog.offer_ids(id)).await?;
            observe(terms::CATALOG, "aws-marketplace:DescribeEntity", catalog.offers_of(ids)).await
        };
        let review = async {
            let asked = catalog.change_sets_of(id);
            let change_sets = observe(terms::CATALOG, "aws-marketplace:ListChangeSets", asked).await?;
            let asked = catalog.public_request(id, change_sets);
            let public_request = observe(terms::CATALOG, "aws-marketplace:DescribeChangeSet", asked).await?;
            Observation::Ok(ObservedReview { public_request })
        };
        let (product, offers, review, page, application, stack, evidence) = tokio::join!(
            observe(terms::CATALOG, "aws-marketplace:DescribeEntity", catalog.product(id)),
            within(until, terms::CATALOG, offers.boxed()),
            within(until, terms::CATALOG, review.boxed()),
            self.internet.registration_page(address, probe.clone(), until).boxed(),
            self.internet.application(listing, probe, until).boxed(),
            stack,
            observe(terms::TABLE, "dynamodb:Query", self.store.evidence(&listing.product_code)),
        );
        let now = self.store.clock().now();
        Facts { listing, now, product, offers, review, page, application, stack, evidence }
    }

    /// Gathers the facts about the stack.
    pub(crate) async fn stack(&self) -> ObservedStack {
        let runs = observe(terms::TABLE, "dynamodb:Query", self.store.runs());
        let outcomes = observe(terms::TABLE, "dynamodb:Query", self.store.outcomes());
        let (_, stack) = self.clients();
        stack.observe(&self.deployment, &self.table, runs, outcomes).await
    }

    /// Returns the AWS clients, which are built on first use: reading a stored report needs none.
    fn clients(&self) -> &(Catalog, StackClients) {
        self.clients.get_or_init(|| (Catalog::new(&self.config), StackClients::new(&self.config)))
    }
}

/// Waits for a table operation that an audit run needs, within the timeout of the table.
pub(crate) async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(TABLE_TIMEOUT, asked).await.unwrap_or_else(|late| Err(StoreError::Unavailable(Box::new(late))))
}
