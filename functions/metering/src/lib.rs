//! The reporter: makes hours of usage into records, and gets the records booked at AWS.
//!
//! It runs every 5 minutes, alone. A run looks at licenses that are over ([`flush`]), moves the buyers whose hour has come
//! ([`moves`]), looks at hours that got late usage and at the hours that are over ([`close`]), all by the one procedure that settles a license's hour ([`hour`]); then it
//! sends what is to be sent ([`send`]), each call for itself ([`call`]). Every step can be done again: what decides is
//! in the table, on condition of what was read. `docs/METERING.md` explains the ledger.

mod call;
mod close;
mod evidence;
mod flush;
mod hour;
mod last_chance;
mod moves;
mod overage;
mod pause;
mod run;
mod send;

use std::time::Duration;

use aws_config::SdkConfig;
use stallkeeper::marketplace::Marketplace;
use stallkeeper::metrics::Metrics;
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::Clock;

pub use run::Report;
use run::Run;

/// The function.
#[derive(Debug)]
pub struct Metering {
    store: Store,
    marketplace: Marketplace,
    metrics: Metrics,
    mode: Mode,
}

/// How the reporter works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Whether nothing is sent: records end as `dry_run`, and never go to AWS by themselves.
    pub dry_run: bool,
    /// From one call of BatchMeterUsage to the next: AWS takes 10 a second of an account and region.
    pub pace: Duration,
    /// The parts of a run to do.
    pub parts: Parts,
}

/// Which parts of its work a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// All of it.
    All,
    /// Only what makes usage into records.
    Closing,
    /// Only what sends records.
    Sending,
}

impl Default for Mode {
    fn default() -> Self {
        Self { dry_run: false, pace: Duration::from_millis(100), parts: Parts::All }
    }
}

impl Metering {
    /// The function on the table of that name. Nobody reads its metrics, unless [`reporting_to`](Self::reporting_to)
    /// says where they go.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self {
            store: Store::new(config, table, clock),
            marketplace: Marketplace::new(config),
            metrics: Metrics::unread(),
            mode: Mode::default(),
        }
    }

    /// The function with its metrics going there.
    #[must_use]
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The function in another mode than the usual.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Runs once, within a time limit. The report says if another run is to follow at once; see
    /// [`invoke`](Self::invoke).
    ///
    /// # Errors
    ///
    /// When the table does not answer. What was done stays done, and the next run goes on from there.
    pub async fn run(&self, time_limit: Duration) -> Result<Report, StoreError> {
        let run = Run::begin(&self.store, &self.marketplace, self.mode, time_limit);
        let done = all_parts(&run).await;
        evidence::leave(&run).await;
        if done.is_ok() {
            self.store.note_run("metering").await;
        }
        let sends = !self.mode.dry_run && self.mode.parts != Parts::Closing;
        let again_at = if sends && done.is_ok() { last_chance::next_run(&run).await? } else { None };
        let report = run.end(&self.metrics, done).await?;
        Ok(Report { again_at, ..report })
    }
}

/// What cannot be closed keeps nothing from being sent.
async fn all_parts(run: &Run<'_>) -> Result<(), StoreError> {
    let closed = if run.mode.parts == Parts::Sending { Ok(()) } else { close_all(run).await };
    let sent = if run.mode.parts == Parts::Closing { Ok(()) } else { send::send_due_records(run).await };
    closed.and(sent)
}

async fn close_all(run: &Run<'_>) -> Result<(), StoreError> {
    // First what AWS takes for an hour only.
    flush::flush_ending_licenses(run).await?;
    moves::move_licenses(run).await?;
    let unsettled = close::look_at_late_hours(run).await?;
    close::close_hours(run, &unsettled).await
}
