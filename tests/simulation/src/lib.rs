//! The simulation: random worlds in which everything goes wrong, and an oracle that compares what was used with what
//! was billed.
//!
//! A seed makes a world ([`scene`], [`world`]): AWS without sockets, under a clock that stands until everybody waits,
//! so that days pass in a second and the same seed is the same world each time. In it [`plot`] lets buyers buy, change and
//! leave ([`buyers`], [`changes`]), the application report, correct and repeat ([`usage_of`]), operators import, move, link
//! and requeue ([`imports`], [`moves`], [`tenants`], [`operator`]), events come late, twice, in another order or never
//! ([`delivery`]), calls fail in every way ([`faults`], [`outages`]) and processes die between any two steps ([`life`]). The
//! reporter and the reconciliation run on the template's schedules ([`schedule`]). After two days nothing goes wrong any
//! more, and after a third [`oracle`] judges money, access and the application's events: by what the application was told,
//! what AWS has booked and whom it serves, and what the records say. [`network`] is what lies between the real functions and
//! AWS; [`story`] tells a world again; [`search`] plays thousands.

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

/// How a seed went.
#[derive(Debug, Clone)]
pub struct Told {
    /// The seed.
    pub seed: u64,
    /// What is not as it must be; nothing, if all is well.
    pub differences: Vec<Difference>,
    /// What was reached.
    pub tally: Tally,
    /// The same for the same world, and another one if anything happened otherwise.
    pub digest: u64,
    /// What happened, if that was asked for.
    pub story: Option<String>,
}

/// Whose story is told of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Nobody's.
    None,
    /// What concerns the licenses whose bill differs; everything, if none does.
    Differences,
    /// Everything.
    All,
}

/// Plays a seed from its beginning to its end.
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
    // What draws for itself, such as the SDK for its pauses, draws the same too.
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
