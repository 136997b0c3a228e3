//! The plan of faults: calls that fail, and hours in which AWS is unavailable.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use local_aws::Fault;

use crate::difference::Difference;
use crate::faults::{Pair, agreement_outage, applied, outage, refusal};
use crate::simulation::Simulation;
use crate::tally::add;

/// The number of planned faults. Not all of them apply.
const FAULTS: usize = 40;

/// Plans the faults of a simulation.
pub fn plan_faults(sim: &Arc<Simulation>) {
    plan_last_chance(sim);
    let fault_period = (sim.scenario.start, sim.scenario.faults_end());
    let pairs = Pair::all();
    for _ in 0..FAULTS {
        let pair = sim.draw(|rng| rng.choice(pairs.iter().copied()));
        plan(sim, sim.some_second(fault_period), pair);
    }
    if sim.chance(0.35) {
        let fault = sim.draw(outage);
        plan_outage(sim, fault, 26 * 3600);
    }
    if sim.chance(0.15) {
        let fault = sim.draw(agreement_outage);
        plan_outage(sim, fault, 8 * 3600);
    }
    // Every seed has some faults of frequent operations.
    for hour in 0..12 {
        let at =
            sim.scenario.start + SignedDuration::from_secs((hour * 4 + 1) * 3600 - sim.draw(|rng| rng.i64(0..3000)));
        let common: Vec<Pair> = pairs.iter().copied().filter(Pair::is_of_every_run).collect();
        let pair = sim.draw(|rng| rng.choice(common));
        plan(sim, at, pair);
    }
}

/// Plans that AWS refuses every record until some minutes before the month's window closes, if the scenario has such
/// a time. All other faults are cleared before.
fn plan_last_chance(sim: &Arc<Simulation>) {
    let Some(until) = sim.scenario.refused_until else { return };
    let fault = sim.draw(refusal);
    let handle = Arc::clone(sim);
    sim.act_at(until - SignedDuration::from_mins(64), "fault", async move {
        clear_faults(&handle);
        handle.log(|| format!("AWS refuses every record: {fault:?}"));
        add_fault(&handle, fault);
    });
    let handle = Arc::clone(sim);
    sim.act_at(until, "fault", async move {
        handle.log(|| "AWS accepts records again".to_owned());
        clear_faults(&handle);
        handle.count("last chances", 1);
    });
}

/// Plans that a call fails, from the given time on.
fn plan(sim: &Arc<Simulation>, at: Timestamp, pair: Option<Pair>) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "fault", async move {
        if let Some(pair) = pair.filter(|_| !handle.scenario.is_last_chance(handle.now())) {
            let fault = handle.draw(|rng| pair.drawn(rng));
            handle.log(|| format!("{fault:?} is planned"));
            add_fault(&handle, fault);
        }
    });
}

/// Plans that every call of an operation fails, for the given duration at most.
fn plan_outage(sim: &Arc<Simulation>, fault: Fault, longest_secs: i64) {
    let from = sim.some_second((sim.scenario.start, sim.scenario.faults_end()));
    let handle = Arc::clone(sim);
    sim.act_at(from, "fault", async move {
        if handle.scenario.is_last_chance(handle.now()) {
            return;
        }
        handle.log(|| format!("AWS fails: {fault:?}"));
        add_fault(&handle, fault);
    });
    let until = from + sim.some_time(300, longest_secs);
    let handle = Arc::clone(sim);
    sim.act_at(until, "fault", async move {
        if handle.scenario.is_last_chance(handle.now()) {
            return;
        }
        handle.log(|| "AWS answers again".to_owned());
        clear_faults(&handle);
    });
}

fn add_fault(sim: &Simulation, fault: Fault) {
    if let Err(refused) = sim.aws.faults().add(fault) {
        sim.watch().differences.push(Difference::of_simulation(format!("a fault was not planned: {refused}")));
    }
}

/// Counts the faults that have struck, and clears the plan.
pub fn clear_faults(sim: &Simulation) {
    let applied = applied(sim.aws.faults());
    sim.aws.faults().clear();
    let mut tally = sim.tally();
    for (name, count) in applied {
        add(&mut tally.applied, &name, count);
    }
}
