//! AWS on one port: everything that Stallkeeper asks of AWS, behind one endpoint URL.
//!
//! `AWS_ENDPOINT_URL=http://127.0.0.1:<port>` is all that an SDK needs: the services are told apart by what their
//! protocols put into the request. DynamoDB is an embedded server behind a proxy. AWS Marketplace's services (metering,
//! entitlement, agreement) answer from one [`Marketplace`], in awsJson and in Smithy RPC v2 CBOR, with the shapes and
//! limits of AWS's API models; its Catalog API answers from the [`Catalog`], in restJson1. What SNS and SES are given
//! stays in an [`Outbox`].
//!
//! **Signatures are not verified.** Any credentials will do, and there is one caller: the seller, whose account proposes
//! all agreements. Never let anybody but yourself reach the port.
//!
//! What happens at AWS Marketplace is told to an event bus as [`Announcement`]s, each with the time at which it is due;
//! delivering them is the bus's part.
//!
//! In the order of a call: `server` reads it (`service`, `protocol`, `input`), `faults`, `wire_log` and `recording` stand
//! before every service, `operations` answer it from the `marketplace` or the `catalog`, `outbox` keeps it, `deployed`
//! answers what operators ask of the stacks, or `dynamodb` passes it on.
//! `in_process` is the same without the port.

mod catalog;
mod connection;
mod deployed;
mod dynamodb;
mod error;
mod faults;
mod in_process;
mod input;
mod marketplace;
mod operations;
mod outbox;
mod protocol;
mod readings;
mod recording;
mod refused;
mod region;
mod replays;
mod server;
mod service;
mod wire_log;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use stallkeeper::listing::Listing;
use stallkeeper::time::Clock;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use marketplace::Names;
use recording::Recording;
use server::Services;

use crate::stack::Stack;
pub use catalog::{
    Catalog, ChangeOverview, ChangeSetOverview, Decision, EntityKind, EntityOverview, ErrorDetail, FailureCode,
    NextChangeSet, Status, Verdict, fulfillment_url,
};

pub use deployed::{AlarmState, AuditLog, DeadLetters, DeployedNames, Rule, Schedule, State, Subscription, Wiring};
pub use faults::{Fault, FaultKind, Faults, PlannedFault};
pub use in_process::InProcess;
pub use marketplace::{
    AgreementOverview, AgreementStatus, Announcement, Bill, BillTotal, BilledAllocation, BilledRecord, BillingStyle,
    Change, Changed, DimensionValue, EndStatus, LicenseOverview, Marketplace, News, Overview, Purchase, Purchased,
};
pub use outbox::{Left, Mailed, Outbox, Published};
pub use readings::{
    Delays, EmptyCustomerIdentifier, FinalWindow, IdenticalRepeat, LicenseArnForm, ProductCodeWithLicense, Readings,
    ResolveCustomerSends, StartOfPurchaseHour, TokenLife, UsageOutsideLicense,
};
pub(crate) use recording::named;
pub use refused::Refused;
pub use region::Region;
pub use service::Service;
pub use wire_log::{Count, Counts, WireCall, WireLog};

/// How an AWS is to be.
#[derive(Debug)]
pub struct AwsOptions {
    /// The port on the loopback interface; 0 takes a free one.
    pub port: u16,
    /// What time it is there.
    pub clock: Clock,
    /// The products that can be bought.
    pub listings: Vec<Listing>,
    /// The file that DynamoDB keeps its tables in; none keeps them in memory. What was bought is in memory only.
    pub data: Option<PathBuf>,
    /// Which readings of AWS's documents hold.
    pub readings: Readings,
    /// How long its news takes.
    pub delays: Delays,
    /// Where its news goes.
    pub announcements: mpsc::UnboundedSender<Announcement>,
    /// What the names of all that is bought are drawn from: the same seed gives the same. None draws others each time.
    pub seed: Option<u64>,
}

/// A running AWS. Dropping it stops its servers: they finish what they have begun to answer.
#[derive(Debug)]
pub struct Aws {
    url: String,
    services: Arc<Services>,
    _running: watch::Sender<()>,
}

impl Aws {
    /// Starts an AWS; needs a Tokio runtime, and is ready for calls when it returns.
    ///
    /// # Errors
    ///
    /// A port that is taken, a file that is no database, two listings of one product, or a recording of operations
    /// that cannot be written.
    pub async fn start(options: AwsOptions) -> anyhow::Result<Self> {
        let AwsOptions { port, clock, listings, data, readings, delays, announcements, seed } = options;
        let (marketplace, catalog) = open(clock, listings, (readings, delays), announcements, seed)?;
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

    /// An AWS without ports: only clients of [`in_process`](Self::in_process) reach it. It keeps its tables in memory and
    /// no wire log. `port` and `data` of the options say nothing here.
    ///
    /// # Errors
    ///
    /// Two listings of one product.
    pub fn without_ports(options: AwsOptions) -> anyhow::Result<Self> {
        let AwsOptions { port: _, data: _, clock, listings, readings, delays, announcements, seed } = options;
        let (marketplace, catalog) = open(clock, listings, (readings, delays), announcements, seed)?;
        let (running, stop) = watch::channel(());
        let dynamodb = dynamodb::DynamoDb::without_server()?;
        let services = Services::new(marketplace, catalog, dynamodb, WireLog::none(), None, stop);
        // No name of a host: whoever comes by a socket finds nothing.
        Ok(Self { url: "http://aws.invalid".to_owned(), services, _running: running })
    }

    /// The way to it for SDK clients of the same process.
    pub fn in_process(&self) -> InProcess {
        InProcess::new(Arc::clone(&self.services))
    }

    /// The endpoint URL of every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The endpoint URL of the embedded DynamoDB itself, for reads of a test or of the sandbox's own: no planned fault
    /// strikes them, and they stand in no log.
    pub fn dynamodb_url(&self) -> &str {
        self.services.dynamodb.url()
    }

    /// AWS Marketplace, where buyers buy.
    pub fn marketplace(&self) -> &Marketplace {
        &self.services.marketplace
    }

    /// The seller's catalog of products and offers.
    pub fn catalog(&self) -> &Catalog {
        &self.services.catalog
    }

    /// Tells operators of the stacks that are set up on it.
    pub(crate) fn deploy(&self, stacks: Vec<Arc<Stack>>) {
        let Services { deployed, marketplace, .. } = &*self.services;
        deployed.set_up(&self.url, marketplace.seller().as_str(), marketplace.now(), stacks);
    }

    /// What SNS and SES were given.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.services.outbox
    }

    /// The plan of faults.
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// Counts the crashes of functions that planned faults have made.
    pub(crate) fn crashes(&self) -> watch::Receiver<u64> {
        self.services.crashes.subscribe()
    }

    /// What was asked, and how often.
    pub fn wire(&self) -> &WireLog {
        &self.services.wire
    }
}

/// Both sides of AWS Marketplace, with names of their own for each.
fn open(
    clock: Clock,
    listings: Vec<Listing>,
    (readings, delays): (Readings, Delays),
    announcements: mpsc::UnboundedSender<Announcement>,
    seed: Option<u64>,
) -> anyhow::Result<(Marketplace, Catalog)> {
    let names = |seed: Option<u64>| seed.map_or_else(Names::new, |seed| Ok(Names::seeded(seed)));
    let (at_market, in_catalog) = (names(seed)?, names(seed.map(|seed| !seed))?);
    let sold = listings.clone();
    let marketplace = Marketplace::open(clock.clone(), listings, readings, delays, announcements, at_market)?;
    let catalog = Catalog::open(clock, marketplace.seller().clone(), sold, delays.change_set, in_catalog);
    Ok((marketplace, catalog))
}
