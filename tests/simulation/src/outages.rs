//! The plan of faults: calls that fail, and hours in which AWS is unavailable.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sandbox::aws::Fault;

use crate::buyers::some_time;
use crate::faults::{Pair, agreement_outage, applied, outage, refusal};
use crate::oracle::Difference;
use crate::tally::add;
use crate::world::World;

/// The number of planned faults. Not all of them strike.
const FAULTS: usize = 40;

/// Plans the faults of a world.
pub fn plan_faults(world: &Arc<World>) {
    plan_last_chance(world);
    let storm = (world.scene.start, world.scene.over());
    let pairs = Pair::all();
    for _ in 0..FAULTS {
        let pair = world.draw(|rng| rng.choice(pairs.iter().copied()));
        plan(world, world.some_second(storm), pair);
    }
    if world.chance(0.35) {
        let fault = world.draw(outage);
        plan_outage(world, fault, 26 * 3600);
    }
    if world.chance(0.15) {
        let fault = world.draw(agreement_outage);
        plan_outage(world, fault, 8 * 3600);
    }
    // Every world has some faults of frequent operations.
    for hour in 0..12 {
        let at =
            world.scene.start + SignedDuration::from_secs((hour * 4 + 1) * 3600 - world.draw(|rng| rng.i64(0..3000)));
        let common: Vec<Pair> = pairs.iter().copied().filter(Pair::is_of_every_run).collect();
        let pair = world.draw(|rng| rng.choice(common));
        plan(world, at, pair);
    }
}

/// Plans that AWS refuses every record until some minutes before the month's window closes, if the scene has such a
/// time. All other faults are cleared before.
fn plan_last_chance(world: &Arc<World>) {
    let Some(until) = world.scene.refused_until else { return };
    let fault = world.draw(refusal);
    let here = Arc::clone(world);
    world.act_at(until - SignedDuration::from_mins(64), "fault", async move {
        clear_faults(&here);
        here.tell(|| format!("AWS refuses every record: {fault:?}"));
        add_fault(&here, fault);
    });
    let here = Arc::clone(world);
    world.act_at(until, "fault", async move {
        here.tell(|| "AWS takes records again".to_owned());
        clear_faults(&here);
        here.count("last chances", 1);
    });
}

/// Plans that a call fails, from the given time on.
fn plan(world: &Arc<World>, at: Timestamp, pair: Option<Pair>) {
    let here = Arc::clone(world);
    world.act_at(at, "fault", async move {
        if let Some(pair) = pair.filter(|_| !here.scene.is_last_chance(here.now())) {
            let fault = here.draw(|rng| pair.drawn(rng));
            here.tell(|| format!("{fault:?} is planned"));
            add_fault(&here, fault);
        }
    });
}

/// Plans that every call of an operation fails, for the given duration at most.
fn plan_outage(world: &Arc<World>, fault: Fault, longest_secs: i64) {
    let from = world.some_second((world.scene.start, world.scene.over()));
    let here = Arc::clone(world);
    world.act_at(from, "fault", async move {
        if here.scene.is_last_chance(here.now()) {
            return;
        }
        here.tell(|| format!("AWS is out: {fault:?}"));
        add_fault(&here, fault);
    });
    let until = from + some_time(world, 300, longest_secs);
    let here = Arc::clone(world);
    world.act_at(until, "fault", async move {
        if here.scene.is_last_chance(here.now()) {
            return;
        }
        here.tell(|| "AWS is there again".to_owned());
        clear_faults(&here);
    });
}

fn add_fault(world: &World, fault: Fault) {
    if let Err(refused) = world.aws.faults().add(fault) {
        world.watch().differences.push(Difference::of_world(format!("a fault was not planned: {refused}")));
    }
}

/// Counts the faults that have struck, and clears the plan.
pub fn clear_faults(world: &World) {
    let applied = applied(world.aws.faults());
    world.aws.faults().clear();
    let mut tally = world.tally();
    for (name, count) in applied {
        add(&mut tally.applied, &name, count);
    }
}
