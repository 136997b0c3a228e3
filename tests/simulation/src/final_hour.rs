//! The last hour of a license: usage continues, the event of its end arrives, and the reporter sums the remaining
//! usage.

use std::sync::Arc;

use domain::ids::LicenseId;
use jiff::SignedDuration;

use crate::delivery::deliver_events_at;
use crate::simulation::Simulation;
use crate::usage_reports::use_some;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plans the time after the end of a license: usage is sent for some minutes, and the events of the end arrive.
pub fn last_hour(sim: &Arc<Simulation>, license: Option<&LicenseId>) {
    for stack in &sim.stacks {
        stack.disable_skipping_until(sim.later(seconds(25 * 60)));
    }
    for _ in 0..sim.draw(|rng| rng.usize(0..4)) {
        use_at(sim, sim.draw(|rng| rng.i64(0..300)), license);
    }
    if sim.chance(0.4) {
        end_just_before_a_run(sim, license);
    }
    for mark in [15, 60, 130] {
        let at = sim.later(seconds(sim.draw(|rng| rng.i64(mark / 2..mark * 2))));
        deliver_events_at(sim, at);
    }
}

/// Plans that intake remembers the license from shortly before the event of its end, that the next scheduled run
/// follows immediately after that event, and that usage continues.
fn end_just_before_a_run(sim: &Arc<Simulation>, license: Option<&LicenseId>) {
    let run = 300 - sim.now().as_second().rem_euclid(300) + sim.draw(|rng| rng.i64(0..60));
    for after in [-25, -12, -6, 3, 12, 20, 27] {
        use_at(sim, (run + after).max(0), license);
    }
    for stack in &sim.stacks {
        stack.queue.hold();
    }
    let at = sim.later(seconds((run + sim.draw(|rng| rng.i64(-12..4))).max(0)));
    let handle = Arc::clone(sim);
    sim.act_at(at, "queue", async move {
        for stack in &handle.stacks {
            stack.queue.release();
        }
    });
    deliver_events_at(sim, at + SignedDuration::from_millis(1));
}

fn use_at(sim: &Arc<Simulation>, after_secs: i64, license: Option<&LicenseId>) {
    let (handle, license) = (Arc::clone(sim), license.cloned());
    sim.act_at(sim.later(seconds(after_secs)), "application", async move { use_some(&handle, license.as_ref()) });
}
