//! Benchmarks: the throughput of the reporter (`metering`) and of intake (`usage`), the time that a buyer's tenant waits
//! for a decision (`entitlement`), and the time from a function's cold start to its first work (`coldstart`).
//!
//! This process is AWS: the embedded DynamoDB and AWS Marketplace on one loopback port, filled beforehand. The measured
//! code runs in a process of its own ([`job`]) on the real SDK clients, as the deployed functions do, so that its time
//! and memory are its own. `docs/BENCHMARKS.md` has the figures.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod coldstart;
mod entitlement;
mod environment;
mod figures;
mod job;
mod metering;
mod probe;
mod report;
mod requests;
mod resources;
mod runtime_api;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use terminal::{READER_GONE, is_reader_gone, note_line};
use tokio::runtime::{self, Runtime};

use crate::job::{JobKind, read_job, write_result};

/// The global allocator. The embedded DynamoDB makes so many small objects that the system's allocator takes a quarter
/// of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the reporter, intake, decisions or cold starts, and print the figures beside their goals.
#[derive(Debug, Parser)]
#[command(name = "benchmarks", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Close an hour of many licenses, send its records, and sweep it.
    Metering(metering::Arguments),
    /// Ingest usage of open hours.
    Usage(usage::Arguments),
    /// Decide what tenants may use, one after the other, beside bare queries of the same items.
    Entitlement(entitlement::Arguments),
    /// Start each function as Lambda does, and measure it until it asks for work, and at work.
    Coldstart(coldstart::Arguments),
    /// Do a job from the standard input, as a measured process.
    #[command(hide = true)]
    Job { kind: JobKind },
}

/// Fails when a step fails, or when the booked usage differs from the reported usage. A missed goal is not an error.
fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_reader_gone(error.as_ref()) => READER_GONE.into(),
        Err(error) => {
            // The error and its causes in one line; the `Debug` form would add a backtrace.
            note_line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Metering(arguments) => Runtime::new()?.block_on(metering::measure(&arguments)),
        Command::Usage(arguments) => Runtime::new()?.block_on(usage::measure(&arguments)),
        Command::Entitlement(arguments) => Runtime::new()?.block_on(entitlement::measure(&arguments)),
        Command::Coldstart(arguments) => Runtime::new()?.block_on(coldstart::measure(&arguments)),
        Command::Job { kind } => do_job(kind),
    }
}

/// Does the job on the standard input.
fn do_job(kind: JobKind) -> anyhow::Result<()> {
    match kind {
        JobKind::Report => write_result(&one_thread()?.block_on(report::report(read_job()?))?),
        JobKind::Ingest => write_result(&Runtime::new()?.block_on(usage::ingest(read_job()?))?),
        JobKind::Decide => write_result(&one_thread()?.block_on(entitlement::decide(read_job()?))?),
        JobKind::Probe => write_result(&one_thread()?.block_on(probe::rates(&read_job()?))?),
    }
}

/// Returns a single-threaded runtime, as the deployed functions have it.
fn one_thread() -> std::io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}
