//! The simulation: random worlds in which everything fails, and an oracle that compares the usage with the bill.
//!
//! A seed determines a world ([`scene`], [`world`]): AWS without sockets, under a clock that advances only when every
//! task waits. Days therefore pass in a second, and the same seed gives the same world each time. [`plot`] plans the
//! events of a world:
//!
//! - buyers buy, change and leave ([`buyers`], [`changes`]);
//! - the application reports, corrects and repeats usage ([`usage_of`]);
//! - operators import, move, link and requeue ([`imports`], [`moves`], [`tenants`], [`operator`]);
//! - events arrive late, twice, in another order or never ([`delivery`]);
//! - calls fail in every way ([`faults`], [`outages`]);
//! - processes die between any two steps ([`life`]);
//! - the reporter and the reconciliation run on the template's schedules ([`schedule`]).
//!
//! After two days the faults end. After a third day [`oracle`] judges money, access and the application's events: by
//! the answers that the application received, the bookings and the served buyers in AWS, and the records. [`network`]
//! connects the real functions to AWS, [`story`] records what happens in a world, and [`search`] plays thousands of
//! worlds.

pub mod api;
pub mod application;
pub mod booking;
pub mod buyers;
pub mod changes;
pub mod delivery;
pub mod faults;
pub mod final_hour;
pub mod imports;
pub mod life;
pub mod moves;
pub mod network;
pub mod operator;
pub mod oracle;
pub mod outages;
pub mod plot;
pub mod reconciler;
pub mod reporter;
pub mod scene;
pub mod schedule;
pub mod search;
pub mod stack;
pub mod story;
pub mod tally;
mod telling;
pub mod tenants;
pub mod time;
pub mod usage_of;
pub mod watch;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use oracle::Difference;
use tally::Tally;
use world::World;

/// The result of a seed.
#[derive(Debug, Clone)]
pub struct Told {
    /// The seed.
    pub seed: u64,
    /// The deviations from the expected result; empty if there are none.
    pub differences: Vec<Difference>,
    /// The counts of what happened.
    pub tally: Tally,
    /// A hash that is the same for the same world, and another one if anything happened differently or at another time.
    pub digest: u64,
    /// The story, if it was requested.
    pub story: Option<String>,
}

/// The part of a seed's story to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// No story.
    None,
    /// The lines about the licenses that have a difference, or all lines if no license has one.
    Differences,
    /// All lines.
    All,
}

/// Plays a seed from start to end.
pub fn play(seed: u64, telling: Telling) -> Told {
    let played = catch_unwind(AssertUnwindSafe(|| play_in_a_runtime(seed, telling)));
    let failed = |what: String| Told {
        seed,
        differences: vec![Difference { license: None, what }],
        tally: Tally::default(),
        digest: 0,
        story: None,
    };
    match played {
        Ok(Ok(told)) => told,
        Ok(Err(error)) => failed(format!("the world could not be made: {error:#}")),
        Err(_) => failed("it panicked".to_owned()),
    }
}

fn play_in_a_runtime(seed: u64, telling: Telling) -> anyhow::Result<Told> {
    // Code that draws random numbers itself, such as the SDK for its backoff, also draws the same numbers each time.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let world = World::make(seed, telling != Telling::None).await?;
        plot::play(&world).await;
        let panicked = world.end().await;
        let mut differences = oracle::judge(&world).await;
        if panicked > 0 {
            differences.push(Difference { license: None, what: format!("{panicked} tasks panicked") });
        }
        let seen = world.network.seen();
        let mut tally = world.tally().clone();
        tally.calls = seen.calls;
        differences.extend(tally.too_little().into_iter().map(|what| Difference { license: None, what }));
        let about: Vec<String> = match telling {
            Telling::Differences => differences.iter().filter_map(|difference| difference.license.clone()).collect(),
            Telling::None | Telling::All => Vec::new(),
        };
        let story = (telling != Telling::None).then(|| world.story.text(&about));
        for difference in &mut differences {
            if let Some(license) = &difference.license {
                difference.what = difference.what.replace(license, &world.story.short(license));
            }
        }
        Ok(Told { seed, differences, tally, digest: seen.digest, story })
    })
}
