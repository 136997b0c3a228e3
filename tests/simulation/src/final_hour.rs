//! The last hour of a license: usage continues, the event of its end arrives, and the reporter sums the remaining
//! usage.

use std::sync::Arc;

use domain::ids::LicenseId;
use jiff::SignedDuration;

use crate::delivery::deliver_events_at;
use crate::usage_of::use_some;
use crate::world::World;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plans the time after the end of a license: usage is sent for some minutes, and the events of the end arrive.
pub fn last_hour(world: &Arc<World>, license: Option<&LicenseId>) {
    for stack in &world.stacks {
        stack.attend(world.later(seconds(25 * 60)));
    }
    for _ in 0..world.draw(|rng| rng.usize(0..4)) {
        use_at(world, world.draw(|rng| rng.i64(0..300)), license);
    }
    if world.chance(0.4) {
        end_just_before_a_run(world, license);
    }
    for mark in [15, 60, 130] {
        let at = world.later(seconds(world.draw(|rng| rng.i64(mark / 2..mark * 2))));
        deliver_events_at(world, at);
    }
}

/// Plans that intake remembers the license from shortly before the event of its end, that the next scheduled run
/// follows immediately after that event, and that usage continues.
fn end_just_before_a_run(world: &Arc<World>, license: Option<&LicenseId>) {
    let run = 300 - world.now().as_second().rem_euclid(300) + world.draw(|rng| rng.i64(0..60));
    for after in [-25, -12, -6, 3, 12, 20, 27] {
        use_at(world, (run + after).max(0), license);
    }
    for stack in &world.stacks {
        stack.queue.hold();
    }
    let at = world.later(seconds((run + world.draw(|rng| rng.i64(-12..4))).max(0)));
    let here = Arc::clone(world);
    world.act_at(at, "queue", async move {
        for stack in &here.stacks {
            stack.queue.release();
        }
    });
    deliver_events_at(world, at + SignedDuration::from_millis(1));
}

fn use_at(world: &Arc<World>, after_secs: i64, license: Option<&LicenseId>) {
    let (here, license) = (Arc::clone(world), license.cloned());
    world.act_at(world.later(seconds(after_secs)), "application", async move { use_some(&here, license.as_ref()) });
}
