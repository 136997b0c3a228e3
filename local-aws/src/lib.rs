//! A local AWS Marketplace, with the services of AWS that a seller's backend calls beside it, on one port: for tests and
//! demos without an AWS account.
//!
//! It simulates
//!
//! - AWS Marketplace: [purchases](Marketplace::purchase) and [changes](Marketplace::change) of buyers, registration
//!   tokens, the Metering Service with its [bill](Marketplace::bill), the Entitlement and the Agreement Service, in
//!   awsJson and in Smithy RPC v2 CBOR, with the shapes and limits of AWS's API models;
//! - the Catalog API (restJson1), with a [catalog](Catalog) of products, offers and change sets;
//! - the events about agreements and licenses: [`ScheduledEvent`]s, each with the time at which it is due, which the
//!   host delivers;
//! - DynamoDB with its streams: an embedded server behind a proxy;
//! - SNS and SES, whose messages and mails stay in an [`Outbox`], and GetCallerIdentity of STS;
//! - [faults](Faults): calls that fail as planned, before or after their effect.
//!
//! Operations of other services (CloudFormation, SQS, Lambda, EventBridge and its Scheduler, CloudWatch and its Logs)
//! describe what the host has deployed, so the host answers them: see [`host`].
//!
//! `AWS_ENDPOINT_URL=http://127.0.0.1:<port>` is the only setting that an SDK needs: the services are distinguished by
//! what their protocols put into the request. **Signatures are not verified.** Any credentials are accepted, and there
//! is one caller: the seller, whose account proposes all agreements. Never expose the port to other users.
//!
//! ```no_run
#![doc = include_str!("../examples/minimal.rs")]
//! ```
//!
//! In the order of a call: `server` reads it (`service`, `protocol`, `input`); `faults`, `wire_log` and `recording`
//! apply to every service; `operations` answer it from the `marketplace` or the `catalog`, `outbox` stores it, the
//! [`host`] answers it, or `dynamodb` forwards it. `in_process` does the same without the port.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod behavior;
mod caller;
mod catalog;
mod connection;
mod control_error;
mod dynamodb;
mod error;
mod faults;
pub mod host;
mod idempotency;
mod in_process;
mod input;
mod marketplace;
mod operations;
mod outbox;
mod product;
mod protocol;
mod recording;
mod region;
mod server;
mod service;
#[cfg(test)]
mod testing;
mod wire_log;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clock::Clock;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use host::HostService;
use marketplace::IdGenerator;
use recording::Recording;
use server::Services;

pub use behavior::{
    Behavior, Delays, EmptyCustomerIdentifier, FinalWindow, IdenticalRepeat, LicenseArnForm, ProductCodeWithLicense,
    ResolveCustomerKeys, StartOfPurchaseHour, TokenLifetime, UsageOutsideLicense,
};
pub use caller::Caller;
pub use catalog::{
    Catalog, ChangeOverview, ChangeSetOverview, Decision, EntityKind, EntityOverview, ErrorDetail, FailureCode,
    NextChangeSet, Status, Verdict, merge_patch,
};
pub use control_error::ControlError;
pub use faults::{Fault, FaultKind, Faults, PlannedFault};
pub use in_process::InProcess;
pub use marketplace::{
    AgreementOverview, AgreementStatus, Bill, BillTotal, BilledAllocation, BilledRecord, BillingStyle, Change, Changed,
    DimensionValue, EndStatus, LicenseOverview, Marketplace, MarketplaceEvent, Overview, Purchase, Purchased,
    ScheduledEvent,
};
pub use outbox::{Outbox, OutboxContents, PublishedMessage, SentMail};
pub use product::{BuyerKey, Dimension, DimensionType, Pricing, Product, ProductPage};
pub use recording::named;
pub use region::Region;
pub use service::Service;
pub use wire_log::{Count, Counts, WireCall, WireLog};

/// The options of an AWS; [`AwsOptions::new`] has the usual ones.
#[derive(Debug)]
pub struct AwsOptions {
    /// The port on the loopback interface; 0 selects a free one.
    pub port: u16,
    /// The clock of this AWS.
    pub clock: Clock,
    /// The products that can be bought.
    pub products: Vec<Product>,
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
    /// The folder in which it records the IAM actions that functions use; see [`named`].
    pub recording: Option<PathBuf>,
    /// The service that answers the operations of the host; without one, they are unknown.
    pub host: Option<HostService>,
}

impl AwsOptions {
    /// Returns the options of an AWS that sells these products: on a free port, with tables in memory, and with events
    /// that are due immediately.
    pub fn new(clock: Clock, products: Vec<Product>, event_sender: mpsc::UnboundedSender<ScheduledEvent>) -> Self {
        Self {
            port: 0,
            clock,
            products,
            data: None,
            behavior: Behavior::default(),
            delays: Delays::none(),
            event_sender,
            seed: None,
            recording: None,
            host: None,
        }
    }
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
    /// Fails for a port that is in use, a file that is not a database, two products with one product code, a recording of
    /// operations that cannot be written, or a machine without randomness if there is no seed.
    pub async fn start(options: AwsOptions) -> anyhow::Result<Self> {
        let AwsOptions { port, clock, products, data, behavior, delays, event_sender, seed, recording, host } = options;
        let (marketplace, catalog) = open(clock, products, (behavior, delays), event_sender, seed)?;
        let recording = recording.as_deref().map(Recording::open).transpose()?;
        let (running, stop) = watch::channel(());
        let dynamodb = dynamodb::DynamoDb::serve(data.as_deref(), stop.clone()).await?;
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("AWS cannot listen on 127.0.0.1:{port}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let services = Services::new(marketplace, catalog, dynamodb, host, (WireLog::default(), recording), stop);
        tokio::spawn(server::serve(listener, Arc::clone(&services)));
        Ok(Self { url, services, _running: running })
    }

    /// Creates an AWS without ports, which only clients of [`in_process`](Self::in_process) reach. It keeps its tables
    /// in memory and no wire log, and ignores `port`, `data` and `recording` of the options.
    ///
    /// # Errors
    ///
    /// Fails for two products with one product code, or a machine without randomness if there is no seed.
    pub fn without_ports(options: AwsOptions) -> anyhow::Result<Self> {
        let AwsOptions { clock, products, behavior, delays, event_sender, seed, host, .. } = options;
        let (marketplace, catalog) = open(clock, products, (behavior, delays), event_sender, seed)?;
        let (running, stop) = watch::channel(());
        let dynamodb = dynamodb::DynamoDb::without_server()?;
        let services = Services::new(marketplace, catalog, dynamodb, host, (WireLog::none(), None), stop);
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

    /// Returns the endpoint URL of the embedded DynamoDB itself, for reads of a test or of the host itself: no
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

    /// Returns the messages and mails sent through SNS and SES.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.services.outbox
    }

    /// Returns the fault plan.
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// Returns the number of function crashes that planned faults have caused.
    pub fn crashes(&self) -> watch::Receiver<u64> {
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
    products: Vec<Product>,
    (behavior, delays): (Behavior, Delays),
    event_sender: mpsc::UnboundedSender<ScheduledEvent>,
    seed: Option<u64>,
) -> anyhow::Result<(Marketplace, Catalog)> {
    let ids = |seed: Option<u64>| seed.map_or_else(IdGenerator::new, |seed| Ok(IdGenerator::seeded(seed)));
    let (at_market, in_catalog) = (ids(seed)?, ids(seed.map(|seed| !seed))?);
    let sold = products.clone();
    let marketplace = Marketplace::open(clock.clone(), products, behavior, delays, event_sender, at_market)?;
    let catalog = Catalog::open(clock, marketplace.seller().clone(), sold, delays.change_set, in_catalog);
    Ok((marketplace, catalog))
}
