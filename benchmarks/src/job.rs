//! A job, and the process that does it: the measured process reads a job from its standard input, does it, and writes
//! the result to its standard output, both as JSON.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::ValueEnum;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JobKind {
    /// Runs the reporter once.
    Report,
    /// Ingests usage.
    Ingest,
    /// Decides what tenants may use.
    Decide,
    /// Measures the store.
    Probe,
}

/// The AWS endpoint, the table and the time of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JobEnvironment {
    pub(crate) aws: String,
    pub(crate) table: String,
    /// The time that its clock shows at the start.
    pub(crate) at: Timestamp,
}

/// Does a job in a process of its own, and returns its result.
pub(crate) async fn run_job<T: DeserializeOwned>(kind: JobKind, job: &impl Serialize) -> anyhow::Result<T> {
    let job = serde_json::to_vec(job)?;
    let answer = tokio::task::spawn_blocking(move || run_process(kind, &job)).await??;
    serde_json::from_slice(&answer).context("the measured process's answer cannot be read")
}

fn run_process(kind: JobKind, job: &[u8]) -> anyhow::Result<Vec<u8>> {
    let kind = kind.to_possible_value().context("the kind of job has no name")?;
    let mut process = Command::new(std::env::current_exe()?)
        .args(["job", kind.get_name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the measured process cannot be started")?;
    // The input is taken and dropped, because the process reads to the end.
    process.stdin.take().context("it has no input")?.write_all(job)?;
    let ended = process.wait_with_output()?;
    if !ended.status.success() {
        bail!("the measured process failed");
    }
    Ok(ended.stdout)
}

/// Reads a job from the standard input.
pub(crate) fn read_job<T: DeserializeOwned>() -> anyhow::Result<T> {
    let mut job = Vec::new();
    std::io::stdin().read_to_end(&mut job)?;
    serde_json::from_slice(&job).context("the job cannot be read")
}

/// Writes the result of a job to the standard output.
pub(crate) fn write_result(result: &impl Serialize) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(&serde_json::to_vec(result)?)?)
}
