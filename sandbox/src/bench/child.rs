//! The measured process: it reads one job from its standard input, does it, and writes the result to its standard
//! output, both as JSON.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clock::Clock;
use jiff::Timestamp;
use metering::{Metering, Mode, Parts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::runtime;

use super::{entitlement, probe, usage};
use crate::sandbox::sdk_config;

/// A job of a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Job {
    /// Runs the reporter once.
    Report(ReportJob),
    /// Ingests usage.
    Ingest(usage::IngestJob),
    /// Decides what tenants may use.
    Decide(entitlement::DecisionJob),
    /// Measures the store.
    Probe(probe::ProbeJob),
}

/// The AWS endpoint, the table and the time of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct JobEnvironment {
    pub(super) aws: String,
    pub(super) table: String,
    /// The time that its clock shows at the start.
    pub(super) at: Timestamp,
}

/// One run of the reporter.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReportJob {
    pub(super) place: JobEnvironment,
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

/// The result of a run of the reporter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunResult {
    pub(super) took: Duration,
    pub(super) sent: u64,
    pub(super) spent: ResourceUsage,
}

/// The resources that a process used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct ResourceUsage {
    /// The CPU time of all its threads.
    pub(super) cpu: Duration,
    /// The peak of its memory, in KiB.
    pub(super) peak_kib: u64,
}

/// Does the job on the standard input.
pub(super) fn work() -> anyhow::Result<()> {
    let mut job = Vec::new();
    std::io::stdin().read_to_end(&mut job)?;
    match serde_json::from_slice(&job).context("the job cannot be read")? {
        Job::Report(job) => write_result(&one_thread()?.block_on(report(job))?),
        Job::Ingest(job) => write_result(&runtime::Runtime::new()?.block_on(usage::ingest(job))?),
        Job::Decide(job) => write_result(&one_thread()?.block_on(entitlement::decide(job))?),
        Job::Probe(job) => write_result(&one_thread()?.block_on(probe::rates(&job))?),
    }
}

/// Returns a single-threaded runtime, as the deployed functions have it.
fn one_thread() -> std::io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn write_result(result: &impl Serialize) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(&serde_json::to_vec(result)?)?)
}

/// Runs the reporter once, as Lambda starts it: cold, with a time limit.
async fn report(job: ReportJob) -> anyhow::Result<RunResult> {
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

impl ResourceUsage {
    /// Returns the resources that this process has used so far.
    pub(super) fn so_far() -> anyhow::Result<Self> {
        let read = |file| std::fs::read_to_string(file).with_context(|| format!("only Linux has {file}"));
        let peak_kib = read_peak(&read("/proc/self/status")?).context("there is no VmHWM in /proc/self/status")?;
        let cpu = read_cpu(&read("/proc/self/stat")?).context("there are no times in /proc/self/stat")?;
        Ok(Self { cpu, peak_kib })
    }
}

fn read_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Reads the 14th and the 15th field, in hundredths of a second; the second field is a name, in brackets.
fn read_cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

/// Runs a job in a child process, and returns its result.
pub(super) async fn run_job<T: DeserializeOwned>(job: &Job) -> anyhow::Result<T> {
    let job = serde_json::to_vec(job)?;
    let answer = tokio::task::spawn_blocking(move || run_child(&job)).await??;
    serde_json::from_slice(&answer).context("the measured process's answer cannot be read")
}

fn run_child(job: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["bench", "child"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the measured process cannot be started")?;
    // The input is taken and dropped, because the child reads to the end.
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
        assert!(ResourceUsage::so_far().unwrap().peak_kib > 0);
    }

    #[test]
    fn the_time_on_cpus_is_read_from_the_process_statistics() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 9 9";
        assert_eq!(read_cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(read_cpu("7 (a) S 1"), None);
    }
}
