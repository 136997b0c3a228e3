//! Imports as they are sent, and the moves that they plan, with usage, endings and operator actions around the hour of a
//! move.

use std::sync::Arc;

use domain::ids::LicenseId;
use domain::listing::Stage;
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};

use crate::api::{Answer, Call};
use crate::buyers::{cancel, change};
use crate::delivery::{deliver_events_at, hold_events};
use crate::holding::Move;
use crate::import_file::{COLUMNS, Row, Times, file};
use crate::operator::reconcile;
use crate::oracle::access;
use crate::simulation::Simulation;
use crate::usage_reports::use_at;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Sends a file until it is answered. The file is perhaps cut off first, and perhaps sent twice.
pub fn send_file(sim: &Arc<Simulation>, stage: Stage, rows: Vec<Row>) {
    let now = sim.now();
    if sim.chance(0.2) {
        let text = file(&rows);
        let is_header_alone = sim.chance(0.15);
        let end = sim.draw(|rng| rng.usize(COLUMNS.len()..text.len()));
        let end = if is_header_alone { COLUMNS.len() } else { end };
        let handle = Arc::clone(sim);
        let rows = rows.clone();
        sim.act_at(now, "operator", async move {
            handle.count("truncated files", 1);
            if let Some(text) = text.get(..end) {
                send(&handle, stage, text.to_owned(), &rows).await;
            }
        });
    }
    send_at(sim, now + SignedDuration::from_secs(2), stage, rows.clone());
    if sim.chance(0.3) {
        let at = if sim.chance(0.5) { now + SignedDuration::from_secs(2) } else { now + sim.some_time(5, 7200) };
        send_at(sim, at, stage, rows);
    }
}

fn send_at(sim: &Arc<Simulation>, at: Timestamp, stage: Stage, rows: Vec<Row>) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "operator", async move {
        if !send(&handle, stage, file(&rows), &rows).await {
            let at = handle.later(handle.some_time(2, 90));
            send_at(&handle, at, stage, rows);
        }
    });
}

/// Sends a file once. Returns `true` if it was answered.
async fn send(sim: &Arc<Simulation>, stage: Stage, text: String, rows: &[Row]) -> bool {
    let Some(stack) = sim.stack(stage) else { return true };
    let Some(answer) = sim.ask(stack, &Call::post("/v1/imports", "text/csv", text)).await else { return false };
    if answer.status != 200 {
        sim.count(&format!("import: {}", answer.text("/code")), 1);
        return true;
    }
    let results: Vec<Answer> =
        answer.list("/results").map(|result| Answer { status: 200, body: result.clone() }).collect();
    for (row, result) in rows.iter().zip(results) {
        let (status, code) = (result.text("/status"), result.text("/code"));
        sim.count(&format!("import: {}", if code.is_empty() { status } else { code }), 1);
        if result.text("/detail").starts_with("move_at") {
            sim.count("import: move at an hour that is refused", 1);
            send_at(sim, sim.later(sim.some_time(5, 90)), stage, vec![row.moving_when_possible()]);
        }
        learn_of_move(sim, &row.license, &result);
    }
    true
}

/// Reads the license to which a customer key moves from the result. From now on the application may use either id.
fn learn_of_move(sim: &Arc<Simulation>, license: &LicenseId, result: &Answer) {
    let (Ok(id), Ok(at)) =
        (result.text("/moves_to").parse::<LicenseId>(), result.text("/moves_at").parse::<Timestamp>())
    else {
        return;
    };
    let Some(arn) = arn_of(sim, &id) else { return };
    let is_first = {
        let mut buyers = sim.buyers();
        let Some(holding) = buyers.holding_mut(license) else { return };
        let is_first = holding.move_to.is_none();
        holding.move_to = Some(Move { arn, at });
        is_first
    };
    if is_first {
        sim.count("moves planned", 1);
        let short = sim.event_log.short_name(license.as_str());
        sim.event_log.name(id.as_str(), |_| format!("{short}-moved"));
        sim.event_log.link(license.as_str(), id.as_str());
        around_the_move(sim, license, at);
    }
}

/// Returns the ARN of a license in AWS.
pub fn arn_of(sim: &Simulation, id: &LicenseId) -> Option<domain::ids::LicenseArn> {
    let licenses = sim.aws.marketplace().overview().licenses;
    licenses.into_iter().map(|license| license.license_arn).find(|arn| arn.id() == id)
}

/// Imports the move of a customer key.
pub fn move_now(sim: &Arc<Simulation>, license: &LicenseId) {
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
pub fn use_around(sim: &Arc<Simulation>, now: Timestamp, license: &LicenseId, at: Timestamp) {
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
