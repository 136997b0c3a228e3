//! Moves of buyers from a customer key to a license key, with usage, endings and operator actions around the hour of
//! the move.

use std::sync::Arc;

use domain::ids::LicenseId;
use domain::listing::{Listing, Mode};
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};

use crate::buyers::buy;
use crate::changes::{cancel, change};
use crate::delivery::{deliver_events_at, hold_events};
use crate::imports::{Row, Times, had_before, send_file};
use crate::operator::reconcile;
use crate::oracle::access;
use crate::simulation::Simulation;
use crate::usage_reports::use_at;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plans the buyers who move. Returns their number.
pub fn plan_moves(sim: &Arc<Simulation>) -> usize {
    let is_sold = |listing: &&Listing| listing.mode == Mode::Customer && sim.stack(listing.stage).is_some();
    let Some(listing) = sim.scenario.listings.iter().find(is_sold).cloned() else { return 0 };
    let count = sim.draw(|rng| rng.usize(0..3));
    for _ in 0..count {
        let at = sim.some_second((sim.scenario.start, sim.scenario.start + SignedDuration::from_hours(20)));
        let (handle, listing) = (Arc::clone(sim), listing.clone());
        sim.act_at(at, "buyer", async move { buy_and_move(&handle, &listing) });
    }
    count
}

/// Makes a purchase by a customer key, and moves the buyer some hours later.
fn buy_and_move(sim: &Arc<Simulation>, listing: &Listing) {
    let at = sim.later(seconds(sim.draw(|rng| rng.i64(1300..9 * 3600))));
    let license = match sim.chance(0.25) {
        true => had_before(sim, listing, Some(at)),
        false => buy(sim, &listing.product_code, None),
    };
    let Some(license) = license else { return };
    // This usage makes every instance of intake read the license before the move.
    for before in [50, 30, 12, 3] {
        use_around(sim, at - seconds(before), &license, at);
    }
    let (handle, key) = (Arc::clone(sim), license.clone());
    sim.act_at(at, "operator", async move { move_now(&handle, &key) });
    for after in [3, 9, 22, 40, 57, 80] {
        use_around(sim, at + seconds(after), &license, at);
    }
}

/// Imports the move of a customer key.
fn move_now(sim: &Arc<Simulation>, license: &LicenseId) {
    let Some(holding) = sim.buyers().holding(license).cloned() else { return };
    let agreements = sim.aws.marketplace().overview().agreements;
    let agreement = agreements.into_iter().find(|agreement| agreement.agreement_id == holding.agreement);
    let Some(arn) = agreement.and_then(|agreement| agreement.license_arn) else { return };
    // A buyer who has bought again since the first move was planned has another license, and is not moved again here.
    let is_another = holding.move_to.as_ref().is_some_and(|to| to.arn != arn);
    if is_another || sim.aws.marketplace().new_token(&holding.agreement).is_err() {
        return;
    }
    let next = UsageHour::of(sim.now() + SignedDuration::from_mins(70)).start();
    let ahead = SignedDuration::from_hours(sim.draw(|rng| rng.i64(0..5)));
    let times = Times {
        since: Some(holding.since).filter(|_| sim.chance(0.5)),
        metered_from: None,
        move_at: Some(next + ahead).filter(|_| sim.chance(0.4)),
    };
    send_file(sim, holding.stage, vec![Row::moving(&holding, arn.as_str(), &times)]);
}

/// Plans the events around the hour of a move.
pub fn around_the_move(sim: &Arc<Simulation>, license: &LicenseId, at: Timestamp) {
    for (from, until) in
        [(-1500, -300), (-300, 0), (0, 60), (60, 300), (300, 660), (600, 1200), (1200, 4000), (4000, 30_000)]
    {
        for _ in 0..sim.draw(|rng| rng.usize(1..3)) {
            use_around(sim, at + seconds(sim.draw(|rng| rng.i64(from..until))), license, at);
        }
    }
    if sim.chance(0.35) {
        let stacks = sim.stacks.clone();
        let from = at - seconds(sim.draw(|rng| rng.i64(60..3600)));
        let until = at + seconds(sim.draw(|rng| rng.i64(60..7200)));
        for stack in &stacks {
            hold_events(sim, stack, (from, until));
        }
        deliver_events_at(sim, until + seconds(1));
        if sim.chance(0.4) {
            // The buyer leaves before the hour, and the events about that arrive after it.
            let held = at.duration_since(from).as_secs();
            let (handle, key) = (Arc::clone(sim), license.clone());
            let when = from + seconds(sim.draw(|rng| rng.i64(1..held)));
            sim.act_at(when.max(sim.now()), "buyer", async move { end_or_change(&handle, &key) });
        }
    }
    if sim.chance(0.5) {
        let (handle, key) = (Arc::clone(sim), license.clone());
        let when = at + seconds(sim.draw(|rng| rng.i64(-4500..4500)));
        sim.act_at(when.max(sim.now()), "buyer", async move { end_or_change(&handle, &key) });
    }
    // These checks run before the next reconciliation repairs what the move may have done to access.
    for after in [75, 100, 150, 240] {
        let handle = Arc::clone(sim);
        sim.act_at((at + SignedDuration::from_mins(after)).min(sim.scenario.faults_end()), "watch", async move {
            access::judge_all(&handle).await;
        });
    }
    for _ in 0..sim.draw(|rng| rng.usize(0..3)) {
        let (handle, key) = (Arc::clone(sim), license.clone());
        let when = at + seconds(sim.draw(|rng| rng.i64(-1800..5400)));
        sim.act_at(when, "operator", async move { reconcile(&handle, &key).await });
    }
    if sim.chance(0.2) {
        let (handle, key) = (Arc::clone(sim), license.clone());
        let when = at + seconds(sim.draw(|rng| rng.i64(-1800..1800)));
        sim.act_at(when, "operator", async move { move_now(&handle, &key) });
    }
}

/// Ends or changes the buyer's agreement.
fn end_or_change(sim: &Arc<Simulation>, license: &LicenseId) {
    let Some(holding) = sim.buyers().holding(license).cloned() else { return };
    let Some(listing) = sim.listing(holding.product.as_str()).cloned() else { return };
    if sim.have_faults_ended() {
        return;
    }
    match sim.chance(0.75) {
        true => cancel(sim, &listing, &holding.agreement, &holding.account),
        false => change(sim, &listing, &holding.agreement, &holding.account),
    }
}

/// Reports usage at time `now`. The usage happened shortly before that time, or around the hour of the move, `at`.
fn use_around(sim: &Arc<Simulation>, now: Timestamp, license: &LicenseId, at: Timestamp) {
    let (handle, license) = (Arc::clone(sim), license.clone());
    sim.act_at(now.min(sim.scenario.faults_end()), "application", async move {
        let Some(holding) = handle.buyers().holding(&license).cloned() else { return };
        let hour = UsageHour::of(at - seconds(1)).start();
        let moments: Vec<Timestamp> = (0..handle.draw(|rng| rng.usize(1..4)))
            .map(|_| match handle.draw(|rng| rng.u8(0..4)) {
                0 => now - seconds(handle.draw(|rng| rng.i64(0..120))),
                1 => hour + seconds(handle.draw(|rng| rng.i64(0..7200))),
                2 => hour + seconds(handle.draw(|rng| rng.i64(3000..3600))),
                _ => now - seconds(handle.draw(|rng| rng.i64(0..5400))),
            })
            .map(|moment| moment.min(now).max(holding.since))
            .collect();
        use_at(&handle, &holding, &moments);
    });
}
