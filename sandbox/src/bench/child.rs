//! The measured process: it reads one job from its standard input, does it, and writes what came of it to its standard
//! output, both as JSON.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;
use metering::{Metering, Mode, Parts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stallkeeper::time::Clock;
use tokio::runtime;

use super::{probe, usage};
use crate::sandbox::sdk_config;

/// What a child does.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Job {
    /// Runs the reporter once.
    Report(Reporting),
    /// Takes in usage.
    TakeIn(usage::TakingIn),
    /// Measures the store.
    Probe(probe::Probing),
}

/// Where and when a job is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Where {
    pub(super) aws: String,
    pub(super) table: String,
    /// What its clock shows at first.
    pub(super) at: Timestamp,
}

/// One run of the reporter.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reporting {
    pub(super) place: Where,
    pub(super) part: Part,
    pub(super) pace: Duration,
    pub(super) time_limit: Duration,
}

/// A part of the reporter's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    Closing,
    Sending,
}

/// What a run of the reporter did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ran {
    pub(super) took: Duration,
    pub(super) sent: u64,
    pub(super) peak_kib: u64,
}

/// Does the job on the standard input.
pub(super) fn work() -> anyhow::Result<()> {
    let mut job = Vec::new();
    std::io::stdin().read_to_end(&mut job)?;
    match serde_json::from_slice(&job).context("the job cannot be read")? {
        Job::Report(job) => tell(&one_thread()?.block_on(report(job))?),
        Job::TakeIn(job) => tell(&runtime::Runtime::new()?.block_on(usage::take_in(job))?),
        Job::Probe(job) => tell(&one_thread()?.block_on(probe::rates(&job))?),
    }
}

/// As the deployed functions have it.
fn one_thread() -> std::io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn tell(result: &impl Serialize) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(&serde_json::to_vec(result)?)?)
}

/// One run of the reporter, as Lambda starts it: cold, with a time limit.
async fn report(job: Reporting) -> anyhow::Result<Ran> {
    let Reporting { place, part, pace, time_limit } = job;
    let parts = match part {
        Part::Closing => Parts::Closing,
        Part::Sending => Parts::Sending,
    };
    let clock = Clock::ticking_from(place.at);
    let metering = Metering::new(&sdk_config(&place.aws), &place.table, clock);
    let metering = metering.in_mode(Mode { pace, parts, ..Mode::default() });
    let began = Instant::now();
    let report = metering.run(time_limit).await?;
    Ok(Ran { took: began.elapsed(), sent: report.sent, peak_kib: peak_kib()? })
}

/// The most memory that this process has had.
pub(super) fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("only Linux tells a process's peak memory")?;
    read_peak(&status).context("there is no VmHWM in /proc/self/status")
}

fn read_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Has a child do a job, and answers what came of it.
pub(super) async fn ask<T: DeserializeOwned>(job: &Job) -> anyhow::Result<T> {
    let job = serde_json::to_vec(job)?;
    let answer = tokio::task::spawn_blocking(move || asked(&job)).await??;
    serde_json::from_slice(&answer).context("the measured process's answer cannot be read")
}

fn asked(job: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["bench", "child"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the measured process cannot be started")?;
    // Taken and dropped: the child reads to the end.
    child.stdin.take().context("it has no input")?.write_all(job)?;
    let ended = child.wait_with_output()?;
    if !ended.status.success() {
        bail!("the measured process failed");
    }
    Ok(ended.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_process_status() {
        assert_eq!(read_peak("Name:\tsandbox\nVmPeak:\t  9 kB\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n"), Some(12345));
        assert_eq!(read_peak("Name:\tsandbox\n"), None);
        assert!(peak_kib().unwrap() > 0);
    }
}
