//! Benchmarks: the throughput of the reporter (`bench metering`) and of the intake (`bench usage`), the time that a
//! buyer's tenant waits for a decision (`bench entitlement`), and the time from a function's cold start to its first
//! work (`bench coldstart`).
//!
//! This process is AWS: the embedded DynamoDB and AWS Marketplace on one loopback port, filled beforehand. The measured
//! code runs in a process of its own ([`child`]) on the real SDK clients, as the deployed functions do, so that its
//! time and memory are its own. `docs/BENCHMARKS.md` has the figures.

mod child;
mod coldstart;
mod entitlement;
mod environment;
mod figures;
mod metering;
mod probe;
mod requests;
mod runtime_api;
mod usage;

use clap::{Args, Subcommand};
use tokio::runtime::Runtime;

/// The benchmark to run.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Close an hour of many licenses, send its records, and sweep it.
    Metering(metering::Arguments),
    /// Ingest usage of open hours.
    Usage(usage::Arguments),
    /// Decide what tenants may use, one after the other, beside bare queries of the same items.
    Entitlement(entitlement::Arguments),
    /// Start each function as Lambda does, and measure it until it asks for work, and at work.
    Coldstart(coldstart::Arguments),
    /// Run a job from the standard input, as a measured process.
    #[command(hide = true)]
    Child,
}

/// Measures, and prints the figures.
///
/// # Errors
///
/// Fails when a step fails, or when the booked usage differs from the reported usage. A missed goal is not an error.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.benchmark {
        Benchmark::Metering(arguments) => Runtime::new()?.block_on(metering::measure(&arguments)),
        Benchmark::Usage(arguments) => Runtime::new()?.block_on(usage::measure(&arguments)),
        Benchmark::Entitlement(arguments) => Runtime::new()?.block_on(entitlement::measure(&arguments)),
        Benchmark::Coldstart(arguments) => Runtime::new()?.block_on(coldstart::measure(&arguments)),
        Benchmark::Child => child::work(),
    }
}
