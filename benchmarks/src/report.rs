//! The job of one run of the reporter.

use std::time::{Duration, Instant};

use clock::Clock;
use metering::{Metering, Mode, Parts};
use sandbox::sdk_config;
use serde::{Deserialize, Serialize};

use crate::job::JobEnvironment;
use crate::resources::ResourceUsage;

/// A run of the reporter.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReportJob {
    pub(crate) place: JobEnvironment,
    pub(crate) part: Part,
    pub(crate) pace: Duration,
    pub(crate) time_limit: Duration,
}

/// A part of the reporter's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    Closing,
    Sending,
}

/// The result of a run of the reporter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) took: Duration,
    pub(crate) sent: u64,
    pub(crate) spent: ResourceUsage,
}

/// Runs the reporter once, as Lambda starts it: cold, with a time limit.
pub(crate) async fn report(job: ReportJob) -> anyhow::Result<RunResult> {
    let ReportJob { place, part, pace, time_limit } = job;
    let parts = match part {
        Part::Closing => Parts::Closing,
        Part::Sending => Parts::Sending,
    };
    let clock = Clock::ticking_from(place.at);
    let metering = Metering::new(&sdk_config(&place.aws), &place.table, clock);
    let metering = metering.in_mode(Mode { call_interval: pace, parts, ..Mode::default() });
    let began = Instant::now();
    let report = metering.run(time_limit).await?;
    Ok(RunResult { took: began.elapsed(), sent: report.sent, spent: ResourceUsage::so_far()? })
}
