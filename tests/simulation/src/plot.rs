//! The plan of a world: two days with faults, and one without.

use std::sync::Arc;

use domain::time::UsageHour;
use jiff::SignedDuration;

use crate::booking::plan_bookings;
use crate::buyers::{buy, everyone_registers};
use crate::changes::everyone_leaves;
use crate::delivery::{deliver_events, plan_deliveries};
use crate::imports::plan_imports;
use crate::moves::plan_moves;
use crate::operator::plan_operator;
use crate::oracle;
use crate::outages::{clear_faults, plan_faults};
use crate::reconciler::{plan_reconciliation, reconcile_all};
use crate::reporter::{plan_reporter, report_usage};
use crate::usage_of::use_some;
use crate::watch::plan_looks;
use crate::world::World;

/// The number of usage reports, besides those that follow from another action.
const REPORTS: usize = 62;

/// The number of further reports that are made if the earlier ones had too few events.
const MORE_REPORTS: i64 = 90;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plays the world to its end.
pub async fn play(world: &Arc<World>) {
    let special = plan_imports(world) + plan_moves(world);
    plan_purchases(world, 3_usize.saturating_sub(special).max(1));
    plan_usage(world);
    plan_reporter(world);
    plan_reconciliation(world);
    plan_deliveries(world);
    plan_operator(world);
    plan_faults(world);
    plan_looks(world);
    plan_bookings(world);
    world.time.reach(world.scene.over()).await;
    clear_faults(world);
    world.network.calm();
    for stack in &world.stacks {
        stack.queue.release();
        stack.queue.redrive(world.now());
    }
    world.tell(|| "=== from here on nothing goes wrong ===".to_owned());
    everyone_registers(world);
    come_to_rest(world).await;
    oracle::access::judge_all(world).await;
    oracle::held::judge(world).await;
    everyone_leaves(world);
    come_to_an_end(world).await;
    oracle::access::judge_all(world).await;
}

/// Plans purchases: `first` in the first hour, and perhaps a later one.
fn plan_purchases(world: &Arc<World>, first: usize) {
    let stages = &world.scene.stages;
    let sold: Vec<_> = world.scene.listings.iter().filter(|listing| stages.contains(&listing.stage)).collect();
    let times = [(first, 1), (world.draw(|rng| rng.usize(0..2)), 36)];
    for (count, within) in times {
        for _ in 0..count {
            let Some(product) = world.draw(|rng| rng.choice(sold.iter())).map(|listing| listing.product_code.clone())
            else {
                return;
            };
            let within = world.scene.start + SignedDuration::from_hours(within);
            let (at, here) = (world.some_second((world.scene.start, within)), Arc::clone(world));
            world.act_at(at, "buyer", async move {
                buy(&here, &product, None);
            });
        }
    }
    if world.chance(0.3) {
        // This listing may be of a stage that has no stack, and then no stack meters it.
        let listing = world.scene.listings.last().map(|listing| listing.product_code.clone());
        let within = world.scene.start + SignedDuration::from_hours(3);
        let (at, here) = (world.some_second((world.scene.start, within)), Arc::clone(world));
        world.act_at(at, "buyer", async move {
            if let Some(product) = listing {
                buy(&here, &product, None);
            }
        });
    }
}

fn plan_usage(world: &Arc<World>) {
    let storm = (world.scene.start, world.scene.over());
    for _ in 0..REPORTS {
        let mut at = world.some_second(storm);
        match world.draw(|rng| rng.u8(0..10)) {
            // Around the end of an hour and the five minutes after it.
            0..=2 => at = UsageHour::of(at).end() + seconds(world.draw(|rng| rng.i64(-120..420))),
            // While the month closes.
            3..=4 => {
                if let Some(end) = world.scene.month_end {
                    at = end + seconds(world.draw(|rng| rng.i64(-1800..6 * 3600)));
                }
            }
            _ => {}
        }
        let here = Arc::clone(world);
        world.act_at(at.min(world.scene.over()), "application", async move { use_some(&here, None) });
    }
    // In the last hours there are more reports if there was too little usage, since no buyer had bought yet or the
    // stage has no stack.
    for minutes in 0..MORE_REPORTS {
        let at = world.scene.over() - seconds(60 * (MORE_REPORTS - minutes));
        let here = Arc::clone(world);
        world.act_at(at, "application", async move {
            if here.tally().is_quiet() {
                use_some(&here, None);
            }
        });
    }
}

/// Waits until nothing is under way: delivers events, and compares every license with AWS, twice for what failed the
/// first time.
async fn come_to_rest(world: &Arc<World>) {
    for (minutes, reconciles) in [(10, false), (10, false), (10, true), (20, true), (20, false)] {
        world.time.reach(world.later(SignedDuration::from_mins(minutes))).await;
        deliver_events(world);
        for stack in &world.stacks {
            if reconciles {
                reconcile_all(world, stack, true).await;
            }
            report_usage(world, stack).await;
        }
    }
}

/// Completes everything that was started: runs the reporter, delivers events, and sends usage until it is answered.
async fn come_to_an_end(world: &Arc<World>) {
    let minutes = [vec![10; 2], vec![25; 3], vec![325; 5], vec![16; 2]].concat();
    for pause in minutes {
        world.time.reach(world.later(SignedDuration::from_mins(pause))).await;
        deliver_events(world);
        for stack in &world.stacks {
            report_usage(world, stack).await;
        }
    }
}
