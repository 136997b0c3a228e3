//! What the system does in a second, measured: the reporter (`bench metering`) and the intake (`bench usage`). And how
//! long a buyer's tenant waits for a decision (`bench entitlement`), and a cold function for its first work (`bench
//! coldstart`).
//!
//! This process is AWS: the embedded DynamoDB and AWS Marketplace on one loopback port, filled beforehand. What is
//! measured runs in a process of its own ([`child`]) on the real SDK clients, as the deployed functions do, so that its
//! time and memory are its own. `docs/BENCHMARKS.md` has the figures.

mod child;
mod coldstart;
mod entitlement;
mod figures;
mod metering;
mod probe;
mod requests;
mod runtime_api;
mod usage;
mod world;

use clap::{Args, Subcommand};
use tokio::runtime::Runtime;

/// What is to be measured.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Closes an hour of many licenses, sends its records, and sweeps it.
    Metering(metering::Arguments),
    /// Takes in usage of open hours.
    Usage(usage::Arguments),
    /// Decides what tenants may use, one after the other, beside bare queries of the same items.
    Entitlement(entitlement::Arguments),
    /// Starts each function as Lambda does, and measures it until it asks for work, and at work.
    Coldstart(coldstart::Arguments),
    /// What a measured process runs: a job on its standard input.
    #[command(hide = true)]
    Child,
}

/// Measures, and prints the figures.
///
/// # Errors
///
/// When something does not work, or what is booked in the end is not what was used. A goal that is missed is no error.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.what {
        What::Metering(arguments) => Runtime::new()?.block_on(metering::measure(&arguments)),
        What::Usage(arguments) => Runtime::new()?.block_on(usage::measure(&arguments)),
        What::Entitlement(arguments) => Runtime::new()?.block_on(entitlement::measure(&arguments)),
        What::Coldstart(arguments) => Runtime::new()?.block_on(coldstart::measure(&arguments)),
        What::Child => child::work(),
    }
}
