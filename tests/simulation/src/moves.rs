//! Moves of buyers from a customer key to a license key, with usage, endings and operator actions around the hour of
//! the move.

use std::sync::Arc;

use domain::ids::LicenseId;
use domain::listing::{Listing, Mode};
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};

use crate::buyers::buy;
use crate::changes::{change, leave};
use crate::delivery::{deliver_events_at, hold_events};
use crate::imports::{Row, Times, had_before, send_file};
use crate::operator::reconcile;
use crate::oracle::access;
use crate::usage_of::use_at;
use crate::world::World;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plans the buyers who move. Returns their number.
pub fn plan_moves(world: &Arc<World>) -> usize {
    let is_sold = |listing: &&Listing| listing.mode == Mode::Customer && world.stack(listing.stage).is_some();
    let Some(listing) = world.scene.listings.iter().find(is_sold).cloned() else { return 0 };
    let count = world.draw(|rng| rng.usize(0..3));
    for _ in 0..count {
        let at = world.some_second((world.scene.start, world.scene.start + SignedDuration::from_hours(20)));
        let (here, listing) = (Arc::clone(world), listing.clone());
        world.act_at(at, "buyer", async move { buy_and_move(&here, &listing) });
    }
    count
}

/// Makes a purchase by a customer key, and moves the buyer some hours later.
fn buy_and_move(world: &Arc<World>, listing: &Listing) {
    let at = world.later(seconds(world.draw(|rng| rng.i64(1300..9 * 3600))));
    let license = match world.chance(0.25) {
        true => had_before(world, listing, Some(at)),
        false => buy(world, &listing.product_code, None),
    };
    let Some(license) = license else { return };
    // This usage makes every instance of intake read the license before the move.
    for before in [50, 30, 12, 3] {
        use_around(world, at - seconds(before), &license, at);
    }
    let (here, key) = (Arc::clone(world), license.clone());
    world.act_at(at, "operator", async move { move_now(&here, &key) });
    for after in [3, 9, 22, 40, 57, 80] {
        use_around(world, at + seconds(after), &license, at);
    }
}

/// Imports the move of a customer key.
fn move_now(world: &Arc<World>, license: &LicenseId) {
    let Some(holding) = world.buyers().holding(license).cloned() else { return };
    let agreements = world.aws.marketplace().overview().agreements;
    let agreement = agreements.into_iter().find(|agreement| agreement.agreement_id == holding.agreement);
    let Some(arn) = agreement.and_then(|agreement| agreement.license_arn) else { return };
    // A buyer who has bought again since the first move was planned has another license, and is not moved again here.
    let is_another = holding.move_to.as_ref().is_some_and(|to| to.arn != arn);
    if is_another || world.aws.marketplace().new_token(&holding.agreement).is_err() {
        return;
    }
    let next = UsageHour::of(world.now() + SignedDuration::from_mins(70)).start();
    let ahead = SignedDuration::from_hours(world.draw(|rng| rng.i64(0..5)));
    let times = Times {
        since: Some(holding.since).filter(|_| world.chance(0.5)),
        metered_from: None,
        move_at: Some(next + ahead).filter(|_| world.chance(0.4)),
    };
    send_file(world, holding.stage, vec![Row::moving(&holding, arn.as_str(), &times)]);
}

/// Plans the events around the hour of a move.
pub fn around_the_move(world: &Arc<World>, license: &LicenseId, at: Timestamp) {
    for (from, until) in
        [(-1500, -300), (-300, 0), (0, 60), (60, 300), (300, 660), (600, 1200), (1200, 4000), (4000, 30_000)]
    {
        for _ in 0..world.draw(|rng| rng.usize(1..3)) {
            use_around(world, at + seconds(world.draw(|rng| rng.i64(from..until))), license, at);
        }
    }
    if world.chance(0.35) {
        let stacks = world.stacks.clone();
        let from = at - seconds(world.draw(|rng| rng.i64(60..3600)));
        let until = at + seconds(world.draw(|rng| rng.i64(60..7200)));
        for stack in &stacks {
            hold_events(world, stack, (from, until));
        }
        deliver_events_at(world, until + seconds(1));
        if world.chance(0.4) {
            // The buyer leaves before the hour, and the events about that arrive after it.
            let held = at.duration_since(from).as_secs();
            let (here, key) = (Arc::clone(world), license.clone());
            let when = from + seconds(world.draw(|rng| rng.i64(1..held)));
            world.act_at(when.max(world.now()), "buyer", async move { turn(&here, &key) });
        }
    }
    if world.chance(0.5) {
        let (here, key) = (Arc::clone(world), license.clone());
        let when = at + seconds(world.draw(|rng| rng.i64(-4500..4500)));
        world.act_at(when.max(world.now()), "buyer", async move { turn(&here, &key) });
    }
    // These checks run before the next reconciliation repairs what the move may have done to access.
    for after in [75, 100, 150, 240] {
        let here = Arc::clone(world);
        world.act_at((at + SignedDuration::from_mins(after)).min(world.scene.over()), "watch", async move {
            access::judge_all(&here).await;
        });
    }
    for _ in 0..world.draw(|rng| rng.usize(0..3)) {
        let (here, key) = (Arc::clone(world), license.clone());
        let when = at + seconds(world.draw(|rng| rng.i64(-1800..5400)));
        world.act_at(when, "operator", async move { reconcile(&here, &key).await });
    }
    if world.chance(0.2) {
        let (here, key) = (Arc::clone(world), license.clone());
        let when = at + seconds(world.draw(|rng| rng.i64(-1800..1800)));
        world.act_at(when, "operator", async move { move_now(&here, &key) });
    }
}

/// Ends or changes the buyer's agreement.
fn turn(world: &Arc<World>, license: &LicenseId) {
    let Some(holding) = world.buyers().holding(license).cloned() else { return };
    let Some(listing) = world.listing(holding.product.as_str()).cloned() else { return };
    if world.is_over() {
        return;
    }
    match world.chance(0.75) {
        true => leave(world, &listing, &holding.agreement, &holding.account),
        false => change(world, &listing, &holding.agreement, &holding.account),
    }
}

/// Reports usage at time `now`. The usage happened shortly before that time, or around the hour of the move, `at`.
fn use_around(world: &Arc<World>, now: Timestamp, license: &LicenseId, at: Timestamp) {
    let (here, license) = (Arc::clone(world), license.clone());
    world.act_at(now.min(world.scene.over()), "application", async move {
        let Some(holding) = here.buyers().holding(&license).cloned() else { return };
        let hour = UsageHour::of(at - seconds(1)).start();
        let moments: Vec<Timestamp> = (0..here.draw(|rng| rng.usize(1..4)))
            .map(|_| match here.draw(|rng| rng.u8(0..4)) {
                0 => now - seconds(here.draw(|rng| rng.i64(0..120))),
                1 => hour + seconds(here.draw(|rng| rng.i64(0..7200))),
                2 => hour + seconds(here.draw(|rng| rng.i64(3000..3600))),
                _ => now - seconds(here.draw(|rng| rng.i64(0..5400))),
            })
            .map(|moment| moment.min(now).max(holding.since))
            .collect();
        use_at(&here, &holding, &moments);
    });
}
