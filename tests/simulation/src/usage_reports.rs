//! Reports of usage: sent, answered or not, sent again, repeated and corrected.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use domain::ids::LicenseId;
use domain::ledger_schedule::LedgerSchedule;
use domain::listing::Stage;
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use usage::UsageApi;

use crate::api::Call;
use crate::application::{IntakeAnswer, Sent, Version, read_answer};
use crate::difference::Difference;
use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::tally::EVENTS;

/// The time limit of the usage intake function in the template.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Makes some usage, of one license or of random ones, and has the application report it.
pub fn use_some(sim: &Arc<Simulation>, of: Option<&LicenseId>) {
    let Some(stack) = sim.draw(|rng| rng.choice(sim.stacks.iter().cloned())) else { return };
    let holdings: Vec<Holding> = {
        let buyers = sim.buyers();
        let theirs = buyers.holdings.iter().filter(|holding| holding.stage == stack.stage);
        theirs.filter(|holding| of.is_none_or(|license| *license == holding.license)).cloned().collect()
    };
    let mut sent = Sent::new();
    for _ in 0..sim.draw(|rng| rng.usize(1..=6)) {
        let Some(holding) = sim.draw(|rng| rng.choice(holdings.iter())) else { return };
        sent.extend(use_once(sim, holding, random_usage_time(sim, holding)));
    }
    report_with_repeats(sim, stack.stage, &sent);
}

/// Makes usage of a license at the given times, and has the application report it.
pub fn use_at(sim: &Arc<Simulation>, holding: &Holding, moments: &[Timestamp]) {
    let sent: Sent = moments.iter().filter_map(|at| use_once(sim, holding, *at)).collect();
    report_with_repeats(sim, holding.stage, &sent);
}

fn use_once(sim: &Simulation, holding: &Holding, at: Timestamp) -> Option<(usize, usize)> {
    let dimension = sim.draw(|rng| rng.choice(holding.dimensions.iter().cloned()))?;
    let of = (holding.stage, holding.license.clone(), dimension);
    let quantity = some_quantity(sim);
    sim.count(EVENTS, 1);
    Some((sim.application().uses(of, at, quantity), 0))
}

/// Reports events: some more than once, some a day later, some with a correction.
fn report_with_repeats(sim: &Arc<Simulation>, stage: Stage, sent: &Sent) {
    let now = sim.now();
    report(sim, now, stage, sent.clone(), 0);
    if sim.chance(0.1) {
        // Another process sends the same events at the same time.
        report(sim, now, stage, sent.clone(), 0);
        sim.count("repeats", sent.len());
    }
    if sim.chance(0.15) {
        let at = sim.later(sim.some_time(5, 5 * 3600));
        report(sim, at, stage, sent.clone(), 0);
        sim.count("repeats", sent.len());
    }
    if sim.chance(0.12) {
        repeat_much_later(sim, stage, sent);
    }
    if sim.chance(0.25) {
        let at = sim.later(sim.some_time(1, 4500));
        correct(sim, at, stage, sent.clone());
    }
    if sim.chance(0.03) {
        let at = sim.later(sim.some_time(1, 4500));
        contradict(sim, at, stage, sent.clone());
    }
}

/// Simulates a mistake of the application: the same key and revision with another quantity. The content that was
/// accepted first counts.
fn contradict(sim: &Arc<Simulation>, at: Timestamp, stage: Stage, of: Sent) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "application", async move {
        let mut sent = Sent::new();
        for (number, _) in of {
            let by = Decimal::from(handle.draw(|rng| rng.i64(1..1000)));
            let mut application = handle.application();
            let small = |quantity: Decimal| quantity < Decimal::from(2_147_000_000);
            let usage_event = application.usage_events.get_mut(number);
            let usage_event = usage_event
                .filter(|usage_event| usage_event.versions.last().is_some_and(|newest| small(newest.quantity)));
            sent.extend(usage_event.and_then(|usage_event| Some((number, usage_event.contradict(by)?))));
        }
        handle.count("contradictions", sent.len());
        let now = handle.now();
        report(&handle, now, stage, sent, 0);
    });
}

/// Sends events again after more than a day, or around the close of the month, as after a lost answer.
fn repeat_much_later(sim: &Arc<Simulation>, stage: Stage, sent: &Sent) {
    let minutes = SignedDuration::from_mins;
    let closes = sim.scenario.month_end.map(LedgerSchedule::intake_closes).filter(|closes| *closes > sim.now());
    let at = match closes.filter(|_| sim.chance(0.5)) {
        Some(closes) => closes + minutes(sim.draw(|rng| rng.i64(-5..150))),
        None => sim.later(minutes(sim.draw(|rng| rng.i64(24 * 60 - 10..30 * 60)))),
    };
    if at < sim.scenario.faults_end() {
        sim.count("repeats after a day or a month", sent.len());
        report(sim, at, stage, sent.clone(), 0);
    }
}

fn random_usage_time(sim: &Simulation, holding: &Holding) -> Timestamp {
    let now = sim.now();
    let last_month = sim.scenario.month_end.filter(|end| *end <= now && now.duration_since(*end).as_hours() < 7);
    if let Some(end) = last_month.filter(|_| sim.chance(0.6)) {
        return end - SignedDuration::from_secs(sim.draw(|rng| rng.i64(1..18 * 3600)));
    }
    let ago = match sim.draw(|rng| rng.u8(0..100)) {
        0..60 => sim.draw(|rng| rng.i64(0..600)),
        60..80 => sim.draw(|rng| rng.i64(600..4200)),
        80..96 => sim.draw(|rng| rng.i64(4200..24 * 3600)),
        96..98 => sim.draw(|rng| rng.i64(24 * 3600 - 60..26 * 3600)),
        _ => -sim.draw(|rng| rng.i64(1..300)),
    };
    let time = now - SignedDuration::from_secs(ago);
    if sim.chance(0.9) { time.max(holding.since).min(now.max(time)) } else { time }
}

fn some_quantity(sim: &Simulation) -> Decimal {
    sim.draw(|rng| match rng.u16(0..1000) {
        0..30 => Decimal::ZERO,
        30..150 => Decimal::new(rng.i64(1..9_000_000), rng.u32(1..=6)),
        150..153 if sim.scenario.month_end.is_none() => Decimal::from(2_147_483_647),
        _ => Decimal::from(rng.u32(1..60)),
    })
}

/// Reports a higher revision of some of these events.
fn correct(sim: &Arc<Simulation>, at: Timestamp, stage: Stage, of: Sent) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "application", async move {
        let mut sent = Sent::new();
        for (number, _) in of {
            if handle.chance(0.4) {
                continue;
            }
            // Each correction has another quantity, so that the bill shows which one counted.
            let by = handle.draw(|rng| rng.i64(1..1000));
            let mut application = handle.application();
            let Some(usage_event) = application.usage_events.get_mut(number) else { continue };
            let most = usage_event.versions.iter().map(|version| version.quantity).max().unwrap_or_default();
            let quantity =
                if most < Decimal::from(2_147_000_000) { most + Decimal::from(by) } else { Decimal::from(by) };
            let revision = usage_event.versions.last().map_or(0, |newest| newest.revision + 1);
            usage_event.versions.push(Version::new(revision, quantity));
            sent.push((number, usage_event.versions.len() - 1));
        }
        handle.count("corrections", sent.len());
        let now = handle.now();
        report(&handle, now, stage, sent, 0);
    });
}

/// Sends events, and sends those without a certain answer again.
pub fn report(sim: &Arc<Simulation>, at: Timestamp, stage: Stage, sent: Sent, times: u32) {
    if sent.is_empty() {
        return;
    }
    let handle = Arc::clone(sim);
    sim.act_at(at, "application", async move {
        let Some(stack) = handle.stack(stage) else { return };
        let Some(ids) =
            sent.iter().map(|(usage_event, _)| handle.id_of(*usage_event)).collect::<Option<Vec<LicenseId>>>()
        else {
            return;
        };
        let before = handle.application().accepted_before(&sent);
        let events = handle.application().events(&sent, &ids);
        let process = handle.instance();
        handle.log(|| format!("reports to instance {process}: {events}"));
        let call = Call::post("/v1/usage", "application/json", events.to_string());
        let (Some(event), Some(process)) = (call.event(), stack.usage.get(process)) else { return };
        handle.count("requests of usage", 1);
        let handled = async move |function: Arc<UsageApi>| function.handle(event).await;
        let outcome = match handle.run_in(process, TIME_LIMIT, (0.12, 40), handled).await {
            Some(answer) => handle.read_intake_answer(&answer, sent.len()),
            None => vec![IntakeAnswer::Nothing; sent.len()],
        };
        handle.log(|| format!("is answered {outcome:?}"));
        if has_late(&handle, &sent) && handle.chance(0.5) {
            stack.disable_skipping_until(handle.later(SignedDuration::from_mins(6)));
        }
        count_answers(&handle, &outcome, &before);
        check_moving(&handle, &sent, &outcome);
        let mut again = handle.application().apply_answers(&sent, &before, &outcome);
        let unknown = |outcome: &IntakeAnswer| *outcome == IntakeAnswer::Refused("license_unknown".to_owned());
        if times < 6 && !handle.have_faults_ended() {
            let unknown = sent.iter().zip(&outcome).filter(|(_, outcome)| unknown(outcome)).map(|(sent, _)| *sent);
            again.extend(unknown);
        }
        let longest = if handle.have_faults_ended() { 900 } else { 30_i64 << times.min(9) };
        let at = handle.later(handle.some_time(2, longest));
        report(&handle, at, stage, again, times + 1);
    });
}

/// Returns `true` if one of the events happened in an hour that is already summed.
fn has_late(sim: &Simulation, sent: &Sent) -> bool {
    let open = UsageHour::of(sim.now() - LedgerSchedule::HOUR.open_for).start();
    let application = sim.application();
    sent.iter()
        .filter_map(|(usage_event, _)| application.usage_events.get(*usage_event))
        .any(|usage_event| usage_event.time < open)
}

fn count_answers(sim: &Simulation, outcome: &[IntakeAnswer], before: &[bool]) {
    for (outcome, before) in outcome.iter().zip(before) {
        let name = match outcome {
            IntakeAnswer::Accepted if *before => "accepted before".to_owned(),
            IntakeAnswer::Accepted => "accepted".to_owned(),
            IntakeAnswer::Conflict => "in conflict".to_owned(),
            IntakeAnswer::Refused(code) => format!("refused as {code}"),
            IntakeAnswer::Retry(code) => format!("to be sent again: {code}"),
            IntakeAnswer::Nothing => "not answered".to_owned(),
        };
        sim.count(&format!("events {name}"), 1);
    }
}

/// The longest time after the hour of a move for which usage may be answered with `license_moving`.
const MOVING_MAX: SignedDuration = SignedDuration::from_mins(15);

fn check_moving(sim: &Simulation, sent: &Sent, outcome: &[IntakeAnswer]) {
    let now = sim.now();
    for ((number, _), outcome) in sent.iter().zip(outcome) {
        let Some((buyer, time)) = sim
            .application()
            .usage_events
            .get(*number)
            .map(|usage_event| (usage_event.buyer.clone(), usage_event.time))
        else {
            continue;
        };
        let (at, is_back) = {
            let buyers = sim.buyers();
            let at = buyers.holding(&buyer).and_then(|holding| Some(holding.move_to.as_ref()?.at));
            let Some(at) = at else { continue };
            (at, buyers.activations.iter().filter(|(license, _)| *license == buyer).count() > 1)
        };
        sim.count(&format!("usage around a move: {}", key_of((time, now, at), outcome)), 1);
        let is_moving = *outcome == IntakeAnswer::Retry("license_moving".to_owned());
        // A buyer who has subscribed again returns once the event about that was processed and the reporter has run.
        if is_moving && now.duration_since(at) > MOVING_MAX && !is_back {
            sim.differ(&buyer, format!("{buyer} is answered license_moving more than 15 minutes after {at}"));
        }
    }
}

/// Returns the case of usage around a move: by the time of the usage, the time of the report, and the answer.
fn key_of((time, now, at): (Timestamp, Timestamp, Timestamp), outcome: &IntakeAnswer) -> &'static str {
    let open_until = UsageHour::of(time).open_until();
    match outcome {
        IntakeAnswer::Retry(code) if code == "license_moving" => "not now",
        IntakeAnswer::Accepted | IntakeAnswer::Conflict if time >= at && now < at => "after it, reported before it",
        IntakeAnswer::Accepted | IntakeAnswer::Conflict if time >= at => "after it",
        IntakeAnswer::Accepted | IntakeAnswer::Conflict if now < at => "before it, reported before it",
        IntakeAnswer::Accepted | IntakeAnswer::Conflict if now < open_until => "before it, in the open hour",
        IntakeAnswer::Accepted => "before it, accepted later",
        IntakeAnswer::Conflict => "before it, in conflict later",
        IntakeAnswer::Refused(_) => "refused",
        IntakeAnswer::Retry(_) | IntakeAnswer::Nothing => "not answered",
    }
}

impl Simulation {
    /// Returns an id of a fact's buyer: one of the two at random if the buyer moves.
    fn id_of(&self, usage_event: usize) -> Option<LicenseId> {
        let buyer = self.application().usage_events.get(usage_event)?.buyer.clone();
        let ids: Vec<LicenseId> = self.buyers().holding(&buyer)?.ids().cloned().collect();
        if ids.len() > 1 { self.draw(|rng| rng.choice(ids)) } else { Some(buyer) }
    }

    /// Draws an instance of intake. The first receives most requests, so that the others keep old state in memory.
    fn instance(&self) -> usize {
        match self.draw(|rng| rng.u8(0..10)) {
            0..6 => 0,
            6..9 => 1,
            _ => 2,
        }
    }

    fn read_intake_answer(&self, answer: &ApiGatewayV2httpResponse, count: usize) -> Vec<IntakeAnswer> {
        let body = match &answer.body {
            Some(Body::Text(text)) => text.as_str(),
            _ => "",
        };
        read_answer(answer.status_code, body, count).unwrap_or_else(|| {
            if answer.status_code < 500 {
                let what = format!("intake answered {} {body}", answer.status_code);
                self.watch().differences.push(Difference::of_simulation(what));
            }
            vec![IntakeAnswer::Nothing; count]
        })
    }
}
