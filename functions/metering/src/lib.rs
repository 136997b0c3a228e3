//! The metering function (the reporter): turns hours of usage into records, and gets AWS to book the records.
//!
//! It runs every 5 minutes, one run at a time. A run flushes ended licenses ([`flush`]), moves the buyers whose move is
//! due ([`moves`]), settles the hours that got late usage, and closes the hours that have ended ([`close`]). One
//! procedure settles a license's hour in all of them ([`hour`]). Then the run sends the due records ([`send`]), call by
//! call ([`call`]). Every step can be repeated: the table decides, by writes that are conditional on what was read.
//! `docs/METERING.md` explains the ledger.

mod call;
mod close;
mod evidence;
mod final_retries;
mod flush;
mod hour;
mod mode;
mod moves;
mod overage;
mod pause;
mod run;
mod send;
mod settled;

use std::time::Duration;

use aws_config::SdkConfig;
use clock::Clock;
use domain::metering::FINAL_RETRY_INTERVAL;
use lambda::metrics::Metrics;
use marketplace::Marketplace;
use store::{Store, StoreError};
use tokio::time::Instant;

pub use mode::{Mode, Parts};
pub use run::Report;
use run::Run;

/// The age of an invocation from which a failed run ends it: then the schedule starts the next one.
const MAX_RETRY_AGE: Duration = Duration::from_secs(230);

/// The time that one run of an invocation may take.
const RUN_TIME_LIMIT: Duration = Duration::from_secs(290);

/// The least time that a run needs.
const MIN_RUN_TIME: Duration = Duration::from_secs(60);

/// The metering function.
#[derive(Debug)]
pub struct Metering {
    store: Store,
    marketplace: Marketplace,
    metrics: Metrics,
    mode: Mode,
}

impl Metering {
    /// Creates the function on the given table. Its metrics are discarded, unless [`reporting_to`](Self::reporting_to)
    /// sets their destination.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self {
            store: Store::new(config, table, clock),
            marketplace: Marketplace::new(config),
            metrics: Metrics::discarded(),
            mode: Mode::default(),
        }
    }

    /// Returns the function with the given destination of its metrics.
    #[must_use]
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Returns the function in another mode than the default.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Handles one invocation: runs, and runs again as long as a record has its last chance within ten minutes, so that
    /// no minute passes without an attempt, until the last call whose answer comes in time.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. What was done stays done, and the next run continues from there.
    pub async fn invoke(&self, time_limit: Duration) -> Result<Report, StoreError> {
        let (began, mut all) = (Instant::now(), Report::default());
        loop {
            let left = time_limit.saturating_sub(began.elapsed());
            let now = || self.store.clock().now();
            let next_run_at = match self.run(left.min(RUN_TIME_LIMIT)).await {
                Ok(report) => {
                    all.add(&report);
                    report.next_run_at
                }
                Err(error) if began.elapsed() >= MAX_RETRY_AGE => return Err(error),
                Err(_) => now().checked_add(FINAL_RETRY_INTERVAL).ok(),
            };
            let pause = next_run_at.map(|at| Duration::try_from(at.duration_since(now())).unwrap_or_default());
            let ends = |pause: &Duration| began.elapsed() + *pause + MIN_RUN_TIME > time_limit;
            let Some(pause) = pause.filter(|pause| !ends(pause)) else { return Ok(all) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Runs once, within a time limit. [`Report::next_run_at`] is set if another run must follow immediately; see
    /// [`invoke`](Self::invoke).
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer. What was done stays done, and the next run continues from there.
    pub async fn run(&self, time_limit: Duration) -> Result<Report, StoreError> {
        let run = Run::start(&self.store, &self.marketplace, self.mode, time_limit);
        let done = all_parts(&run).await;
        evidence::write(&run).await;
        if done.is_ok() {
            self.store.note_run("metering").await;
        }
        let sends = !self.mode.dry_run && self.mode.parts != Parts::Closing;
        let next_run_at = if sends && done.is_ok() { final_retries::next_run(&run).await? } else { None };
        let report = run.end(&self.metrics, done).await?;
        Ok(Report { next_run_at, ..report })
    }
}

/// Closes hours and sends records, as far as the mode includes them. A failure to close hours does not prevent sending.
async fn all_parts(run: &Run<'_>) -> Result<(), StoreError> {
    let closed = if run.mode.parts == Parts::Sending { Ok(()) } else { close_all(run).await };
    let sent = if run.mode.parts == Parts::Closing { Ok(()) } else { send::send_due_records(run).await };
    closed.and(sent)
}

async fn close_all(run: &Run<'_>) -> Result<(), StoreError> {
    // Endings come first: AWS accepts usage of an ended license for one hour only.
    flush::flush_ending_licenses(run).await?;
    moves::move_licenses(run).await?;
    let unsettled = close::settle_late_hours(run).await?;
    close::close_hours(run, &unsettled).await
}
