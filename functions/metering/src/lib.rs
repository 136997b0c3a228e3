//! The reporter: makes hours of usage into records, and gets the records booked at AWS.
//!
//! It runs every 5 minutes, alone. A run looks at the hours that are over (`close`), at those that got late usage
//! (`close` again), at licenses that are over (`flush`), and sends what is to be sent (`send`). Every step can be done
//! again: what decides is in the table, on condition of what was read.

mod close;
mod flush;
mod hour;
mod send;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::ids::ProductCode;
use stallkeeper::marketplace::Marketplace;
use stallkeeper::metering::{HourlyRecord, Rejection};
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::Clock;

/// What a run leaves of its time limit for what it has begun: a call of 20 seconds and the writing down.
const RESERVE: Duration = Duration::from_secs(40);

/// The function.
#[derive(Debug)]
pub struct Metering {
    store: Store,
    marketplace: Marketplace,
}

/// What a run has done.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records frozen.
    pub frozen: usize,
    /// Amounts carried to another hour.
    pub carried: usize,
    /// Calls of BatchMeterUsage.
    pub calls: usize,
    /// Records that were sent.
    pub sent: usize,
    /// Records that AWS has booked.
    pub accepted: usize,
    /// Records that came to an end otherwise.
    pub problems: usize,
    /// Whether there was no time for all of it.
    pub unfinished: bool,
}

impl Metering {
    /// The function on the table of that name.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock), marketplace: Marketplace::new(config) }
    }

    /// Runs once, within a time limit.
    ///
    /// # Errors
    ///
    /// When the table does not answer. What was done stays done, and the next run goes on from there.
    pub async fn run(&self, time_limit: Duration) -> Result<Report, StoreError> {
        let mut run = Run {
            store: &self.store,
            marketplace: &self.marketplace,
            id: ulid::Ulid::generate().to_string(),
            now: self.store.clock().now(),
            until: Instant::now() + time_limit.saturating_sub(RESERVE),
            closes_until: Instant::now() + time_limit / 2,
            report: Report::default(),
            get_through: BTreeSet::new(),
            rejected: Vec::new(),
        };
        flush::flush_ending_licenses(&mut run).await?;
        close::look_at_late_hours(&mut run).await?;
        close::close_hours(&mut run).await?;
        send::send_due_records(&mut run).await?;
        run.report.unfinished = run.is_over();
        tracing::info!(run = run.id, report = ?run.report, counter = "reporter_run", "a run is done");
        Ok(run.report)
    }
}

/// One run: what it works with and how far it is.
struct Run<'a> {
    store: &'a Store,
    marketplace: &'a Marketplace,
    id: String,
    /// The moment that the whole run goes by.
    now: Timestamp,
    until: Instant,
    /// When closing hours must stop, so that there is time to send.
    closes_until: Instant,
    report: Report,
    /// The products of which AWS has booked a record in this run: what it rejects of those is not the product's fault.
    get_through: BTreeSet<ProductCode>,
    /// Single records that AWS has rejected in this run, until it is known whether anything of their product gets through.
    rejected: Vec<(HourlyRecord, Rejection)>,
}

impl Run<'_> {
    /// Whether no more hours may be begun.
    fn must_send(&self) -> bool {
        Instant::now() >= self.closes_until
    }

    /// Whether nothing new may be begun.
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}
