//! The plan of a simulation: two days with faults, and one without.

use std::sync::Arc;

use domain::time::UsageHour;
use jiff::SignedDuration;

use crate::booking::plan_bookings;
use crate::buyers::{buy, end_all_agreements};
use crate::checks::plan_checks;
use crate::delivery::{deliver_events, plan_deliveries};
use crate::imports::{plan_imports, plan_moves};
use crate::operator::plan_operator;
use crate::oracle;
use crate::outages::{clear_faults, plan_faults};
use crate::purchases::register_everyone;
use crate::reconciler::{plan_reconciliation, reconcile_all};
use crate::reporter::{plan_reporter, report_usage};
use crate::simulation::Simulation;
use crate::usage_reports::use_some;

/// The number of usage reports, besides those that follow from another action.
const REPORTS: usize = 62;

/// The number of further reports that are made if the earlier ones had too few events.
const MORE_REPORTS: i64 = 90;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Runs the simulation to its end.
pub async fn run(sim: &Arc<Simulation>) {
    let special = plan_imports(sim) + plan_moves(sim);
    plan_purchases(sim, 3_usize.saturating_sub(special).max(1));
    plan_usage(sim);
    plan_reporter(sim);
    plan_reconciliation(sim);
    plan_deliveries(sim);
    plan_operator(sim);
    plan_faults(sim);
    plan_checks(sim);
    plan_bookings(sim);
    sim.time.reach(sim.scenario.faults_end()).await;
    clear_faults(sim);
    sim.network.calm();
    for stack in &sim.stacks {
        stack.queue.release();
        stack.queue.redrive(sim.now());
    }
    sim.log(|| "=== no faults from here on ===".to_owned());
    register_everyone(sim);
    settle(sim).await;
    oracle::access::judge_all(sim).await;
    oracle::held::judge(sim).await;
    end_all_agreements(sim);
    finish(sim).await;
    oracle::access::judge_all(sim).await;
}

/// Plans purchases: `first` in the first hour, and perhaps a later one.
fn plan_purchases(sim: &Arc<Simulation>, first: usize) {
    let stages = &sim.scenario.stages;
    let sold: Vec<_> = sim.scenario.listings.iter().filter(|listing| stages.contains(&listing.stage)).collect();
    let times = [(first, 1), (sim.draw(|rng| rng.usize(0..2)), 36)];
    for (count, within) in times {
        for _ in 0..count {
            let Some(product) = sim.draw(|rng| rng.choice(sold.iter())).map(|listing| listing.product_code.clone())
            else {
                return;
            };
            let within = sim.scenario.start + SignedDuration::from_hours(within);
            let (at, handle) = (sim.some_second((sim.scenario.start, within)), Arc::clone(sim));
            sim.act_at(at, "buyer", async move {
                buy(&handle, &product, None);
            });
        }
    }
    if sim.chance(0.3) {
        // This listing may be of a stage that has no stack, and then no stack meters it.
        let listing = sim.scenario.listings.last().map(|listing| listing.product_code.clone());
        let within = sim.scenario.start + SignedDuration::from_hours(3);
        let (at, handle) = (sim.some_second((sim.scenario.start, within)), Arc::clone(sim));
        sim.act_at(at, "buyer", async move {
            if let Some(product) = listing {
                buy(&handle, &product, None);
            }
        });
    }
}

fn plan_usage(sim: &Arc<Simulation>) {
    let fault_period = (sim.scenario.start, sim.scenario.faults_end());
    for _ in 0..REPORTS {
        let mut at = sim.some_second(fault_period);
        match sim.draw(|rng| rng.u8(0..10)) {
            // Around the end of an hour and the five minutes after it.
            0..=2 => at = UsageHour::of(at).end() + seconds(sim.draw(|rng| rng.i64(-120..420))),
            // While the month closes.
            3..=4 => {
                if let Some(end) = sim.scenario.month_end {
                    at = end + seconds(sim.draw(|rng| rng.i64(-1800..6 * 3600)));
                }
            }
            _ => {}
        }
        let handle = Arc::clone(sim);
        sim.act_at(at.min(sim.scenario.faults_end()), "application", async move { use_some(&handle, None) });
    }
    // In the last hours there are more reports if there was too little usage, since no buyer had bought yet or the
    // stage has no stack.
    for minutes in 0..MORE_REPORTS {
        let at = sim.scenario.faults_end() - seconds(60 * (MORE_REPORTS - minutes));
        let handle = Arc::clone(sim);
        sim.act_at(at, "application", async move {
            if handle.tally().is_quiet() {
                use_some(&handle, None);
            }
        });
    }
}

/// Waits until nothing is under way: delivers events, and compares every license with AWS, twice for what failed the
/// first time.
async fn settle(sim: &Arc<Simulation>) {
    for (minutes, reconciles) in [(10, false), (10, false), (10, true), (20, true), (20, false)] {
        sim.time.reach(sim.later(SignedDuration::from_mins(minutes))).await;
        deliver_events(sim);
        for stack in &sim.stacks {
            if reconciles {
                reconcile_all(sim, stack, true).await;
            }
            report_usage(sim, stack).await;
        }
    }
}

/// Completes everything that was started: runs the reporter, delivers events, and sends usage until it is answered.
async fn finish(sim: &Arc<Simulation>) {
    let minutes = [vec![10; 2], vec![25; 3], vec![325; 5], vec![16; 2]].concat();
    for pause in minutes {
        sim.time.reach(sim.later(SignedDuration::from_mins(pause))).await;
        deliver_events(sim);
        for stack in &sim.stacks {
            report_usage(sim, stack).await;
        }
    }
}
