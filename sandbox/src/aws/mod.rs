//! AWS on one port: everything that Stallkeeper calls in AWS, behind one endpoint URL.
//!
//! `AWS_ENDPOINT_URL=http://127.0.0.1:<port>` is the only setting that an SDK needs: the services are distinguished by
//! what their protocols put into the request. DynamoDB is an embedded server behind a proxy. The services of AWS
//! Marketplace (metering, entitlement, agreement) answer from one [`Marketplace`], in awsJson and in Smithy RPC v2
//! CBOR, with the shapes and limits of AWS's API models; its Catalog API answers from the [`Catalog`], in restJson1.
//! Messages and mails sent through SNS and SES stay in an [`Outbox`].
//!
//! **Signatures are not verified.** Any credentials are accepted, and there is one caller: the seller, whose account
//! proposes all agreements. Never expose the port to other users.
//!
//! Events on AWS Marketplace are sent as [`ScheduledEvent`]s, each with the time at which it is due, to an event bus,
//! which delivers them.
//!
//! In the order of a call: `server` reads it (`service`, `protocol`, `input`); `faults`, `wire_log` and `recording`
//! apply to every service; `operations` answer it from the `marketplace` or the `catalog`, `outbox` stores it,
//! `deployed` answers the calls of operators about the stacks, or `dynamodb` forwards it. `in_process` does the same
//! without the port.

mod behavior;
mod catalog;
mod connection;
mod control_error;
mod deployed;
mod dynamodb;
mod error;
mod faults;
mod idempotency;
mod in_process;
mod input;
mod marketplace;
mod operations;
mod outbox;
mod protocol;
mod recording;
mod region;
mod server;
mod service;
mod wire_log;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clock::Clock;
use domain::listing::Listing;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use marketplace::IdGenerator;
use recording::Recording;
use server::Services;

use crate::stack::Stack;
pub use catalog::{
    Catalog, ChangeOverview, ChangeSetOverview, Decision, EntityKind, EntityOverview, ErrorDetail, FailureCode,
    NextChangeSet, Status, Verdict, fulfillment_url,
};

pub use behavior::{
    Behavior, Delays, EmptyCustomerIdentifier, FinalWindow, IdenticalRepeat, LicenseArnForm, ProductCodeWithLicense,
    ResolveCustomerKeys, StartOfPurchaseHour, TokenLifetime, UsageOutsideLicense,
};
pub use control_error::ControlError;
pub use deployed::{AlarmState, AuditLog, DeadLetters, DeployedNames, Rule, Schedule, State, Subscription, Wiring};
pub use faults::{Fault, FaultKind, Faults, PlannedFault};
pub use in_process::InProcess;
pub use marketplace::{
    AgreementOverview, AgreementStatus, Bill, BillTotal, BilledAllocation, BilledRecord, BillingStyle, Change, Changed,
    DimensionValue, EndStatus, LicenseOverview, Marketplace, MarketplaceEvent, Overview, Purchase, Purchased,
    ScheduledEvent,
};
pub use outbox::{Outbox, OutboxContents, PublishedMessage, SentMail};
pub(crate) use recording::named;
pub use region::Region;
pub use service::Service;
pub use wire_log::{Count, Counts, WireCall, WireLog};

/// The options of an AWS.
#[derive(Debug)]
pub struct AwsOptions {
    /// The port on the loopback interface; 0 selects a free one.
    pub port: u16,
    /// The clock of this AWS.
    pub clock: Clock,
    /// The products that can be bought.
    pub listings: Vec<Listing>,
    /// The file in which DynamoDB keeps its tables; `None` keeps them in memory. Purchases are in memory only.
    pub data: Option<PathBuf>,
    /// The behavior where AWS's documents disagree.
    pub behavior: Behavior,
    /// The delays of its events.
    pub delays: Delays,
    /// The channel that receives its events.
    pub event_sender: mpsc::UnboundedSender<ScheduledEvent>,
    /// The seed of the ids of everything that is bought: the same seed gives the same ids. With `None` they differ
    /// each time.
    pub seed: Option<u64>,
}

/// A running AWS. Dropping it stops its servers after they have finished the answers in progress.
#[derive(Debug)]
pub struct Aws {
    url: String,
    services: Arc<Services>,
    _running: watch::Sender<()>,
}

impl Aws {
    /// Starts an AWS. Requires a Tokio runtime; the AWS is ready for calls when this returns.
    ///
    /// # Errors
    ///
    /// Fails for a port that is in use, a file that is not a database, two listings of one product, a recording of
    /// operations that cannot be written, or a machine without randomness if there is no seed.
    pub async fn start(options: AwsOptions) -> anyhow::Result<Self> {
        let AwsOptions { port, clock, listings, data, behavior, delays, event_sender, seed } = options;
        let (marketplace, catalog) = open(clock, listings, (behavior, delays), event_sender, seed)?;
        let recording = Recording::from_environment()?;
        let (running, stop) = watch::channel(());
        let dynamodb = dynamodb::DynamoDb::serve(data.as_deref(), stop.clone()).await?;
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("AWS cannot listen on 127.0.0.1:{port}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let services = Services::new(marketplace, catalog, dynamodb, WireLog::default(), recording, stop);
        tokio::spawn(server::serve(listener, Arc::clone(&services)));
        Ok(Self { url, services, _running: running })
    }

    /// Creates an AWS without ports, which only clients of [`in_process`](Self::in_process) reach. It keeps its tables
    /// in memory and no wire log, and ignores `port` and `data` of the options.
    ///
    /// # Errors
    ///
    /// Fails for two listings of one product, or a machine without randomness if there is no seed.
    pub fn without_ports(options: AwsOptions) -> anyhow::Result<Self> {
        let AwsOptions { port: _, data: _, clock, listings, behavior, delays, event_sender, seed } = options;
        let (marketplace, catalog) = open(clock, listings, (behavior, delays), event_sender, seed)?;
        let (running, stop) = watch::channel(());
        let dynamodb = dynamodb::DynamoDb::without_server()?;
        let services = Services::new(marketplace, catalog, dynamodb, WireLog::none(), None, stop);
        // A host name that never resolves: a call through a socket fails.
        Ok(Self { url: "http://aws.invalid".to_owned(), services, _running: running })
    }

    /// Returns an HTTP client for SDKs in the same process.
    pub fn in_process(&self) -> InProcess {
        InProcess::new(Arc::clone(&self.services))
    }

    /// Returns the endpoint URL of every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the endpoint URL of the embedded DynamoDB itself, for reads of a test or of the sandbox itself: no
    /// planned fault affects them, and no log records them.
    pub fn dynamodb_url(&self) -> &str {
        self.services.dynamodb.url()
    }

    /// Returns AWS Marketplace, where buyers make purchases.
    pub fn marketplace(&self) -> &Marketplace {
        &self.services.marketplace
    }

    /// Returns the seller's catalog of products and offers.
    pub fn catalog(&self) -> &Catalog {
        &self.services.catalog
    }

    /// Makes the stacks that are deployed on it visible to operators.
    pub(crate) fn deploy(&self, stacks: Vec<Arc<Stack>>) {
        let Services { deployed, marketplace, .. } = &*self.services;
        deployed.set_up(&self.url, marketplace.seller().as_str(), marketplace.now(), stacks);
    }

    /// Returns the messages and mails sent through SNS and SES.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.services.outbox
    }

    /// Returns the fault plan.
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// Returns the number of function crashes that planned faults have caused.
    pub(crate) fn crashes(&self) -> watch::Receiver<u64> {
        self.services.crashes.subscribe()
    }

    /// Returns the log and the counts of the calls.
    pub fn wire(&self) -> &WireLog {
        &self.services.wire
    }
}

/// Opens both sides of AWS Marketplace, with a separate id generator for each.
fn open(
    clock: Clock,
    listings: Vec<Listing>,
    (behavior, delays): (Behavior, Delays),
    event_sender: mpsc::UnboundedSender<ScheduledEvent>,
    seed: Option<u64>,
) -> anyhow::Result<(Marketplace, Catalog)> {
    let ids = |seed: Option<u64>| seed.map_or_else(IdGenerator::new, |seed| Ok(IdGenerator::seeded(seed)));
    let (at_market, in_catalog) = (ids(seed)?, ids(seed.map(|seed| !seed))?);
    let sold = listings.clone();
    let marketplace = Marketplace::open(clock.clone(), listings, behavior, delays, event_sender, at_market)?;
    let catalog = Catalog::open(clock, marketplace.seller().clone(), sold, delays.change_set, in_catalog);
    Ok((marketplace, catalog))
}
