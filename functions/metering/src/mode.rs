//! The mode of the reporter.

use std::time::Duration;

/// The mode in which the reporter works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Set if nothing is sent: records end as `dry_run`, and later runs do not send them either.
    pub dry_run: bool,
    /// The time from one call of BatchMeterUsage to the next: AWS accepts 10 calls a second per account and region.
    pub call_interval: Duration,
    /// The parts of a run to do.
    pub parts: Parts,
}

/// The parts of its work that a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// All of it.
    All,
    /// Only the parts that turn usage into records.
    Closing,
    /// Only the part that sends records.
    Sending,
}

impl Default for Mode {
    fn default() -> Self {
        Self { dry_run: false, call_interval: Duration::from_millis(100), parts: Parts::All }
    }
}
