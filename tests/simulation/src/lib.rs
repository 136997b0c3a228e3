//! The simulation: random simulations in which everything fails, and an oracle that compares the usage with the bill.
//!
//! A seed determines a simulation ([`scenario`], [`simulation`]): AWS without sockets, under a clock that advances only
//! when every task waits. Days therefore pass in a second, and the same seed gives the same run each time. [`plan`]
//! plans the events of a simulation:
//!
//! - buyers buy, change and leave ([`buyers`], [`purchases`]);
//! - the application reports, corrects and repeats usage ([`usage_reports`]);
//! - operators import, move, link and requeue ([`imports`], [`moves`], [`tenants`], [`operator`]);
//! - events arrive late, twice, in another order or never ([`delivery`], [`losses`]);
//! - calls fail in every way ([`faults`], [`outages`]);
//! - processes die between any two steps ([`process_lifetime`]);
//! - the reporter and the reconciliation run on the template's schedules ([`schedule`]).
//!
//! After two days the faults end. After a third day [`oracle`] judges money, access and the application's events: by
//! the answers that the application received, the bookings and the served buyers in AWS, and the records. [`network`]
//! connects the real functions to AWS, [`event_log`] records what happens in a simulation, and [`search`] runs
//! thousands of seeds.

pub mod api;
pub mod application;
pub mod booking;
pub mod buyers;
pub mod checks;
pub mod concurrency;
pub mod delivery;
mod describe;
pub mod difference;
pub mod event_log;
pub mod faults;
pub mod final_hour;
pub mod holding;
pub mod import_file;
pub mod imports;
pub mod losses;
pub mod moves;
pub mod network;
pub mod operator;
pub mod oracle;
pub mod outages;
pub mod plan;
pub mod process_lifetime;
pub mod purchases;
pub mod reconciler;
pub mod reporter;
pub mod scenario;
pub mod schedule;
pub mod search;
pub mod simulation;
pub mod stack;
pub mod tally;
pub mod tenants;
pub mod time;
pub mod usage_reports;
pub mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};

use difference::Difference;
use simulation::Simulation;
use tally::Tally;

/// The result of a seed.
#[derive(Debug, Clone)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The deviations from the expected result; empty if there are none.
    pub differences: Vec<Difference>,
    /// The counts of what happened.
    pub tally: Tally,
    /// A hash that is the same for the same run, and another one if anything happened differently or at another time.
    pub digest: u64,
    /// The log, if it was requested.
    pub log: Option<String>,
}

/// The part of a seed's log to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogDetail {
    /// No log.
    None,
    /// The lines about the licenses that have a difference, or all lines if no license has one.
    Differences,
    /// All lines.
    All,
}

/// Runs a seed from start to end.
pub fn run_seed(seed: u64, detail: LogDetail) -> SeedResult {
    let outcome = catch_unwind(AssertUnwindSafe(|| run_in_runtime(seed, detail)));
    let failed = |what: String| SeedResult {
        seed,
        differences: vec![Difference { license: None, what }],
        tally: Tally::default(),
        digest: 0,
        log: None,
    };
    match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => failed(format!("the simulation could not be started: {error:#}")),
        Err(_) => failed("it panicked".to_owned()),
    }
}

fn run_in_runtime(seed: u64, detail: LogDetail) -> anyhow::Result<SeedResult> {
    // Code that draws random numbers itself, such as the SDK for its backoff, also draws the same numbers each time.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let sim = Simulation::make(seed, detail != LogDetail::None).await?;
        plan::run(&sim).await;
        let panicked = sim.end().await;
        let mut differences = oracle::judge(&sim).await;
        if panicked > 0 {
            differences.push(Difference { license: None, what: format!("{panicked} tasks panicked") });
        }
        let observations = sim.network.observations();
        let mut tally = sim.tally().clone();
        tally.calls = observations.calls;
        differences.extend(tally.too_little().into_iter().map(|what| Difference { license: None, what }));
        let about: Vec<String> = match detail {
            LogDetail::Differences => differences.iter().filter_map(|difference| difference.license.clone()).collect(),
            LogDetail::None | LogDetail::All => Vec::new(),
        };
        let log = (detail != LogDetail::None).then(|| sim.event_log.text(&about));
        for difference in &mut differences {
            if let Some(license) = &difference.license {
                difference.what = difference.what.replace(license, &sim.event_log.short_name(license));
            }
        }
        Ok(SeedResult { seed, differences, tally, digest: observations.digest, log })
    })
}
