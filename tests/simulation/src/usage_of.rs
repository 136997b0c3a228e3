//! Reports of usage: sent, answered or not, sent again, repeated and corrected.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use domain::ids::LicenseId;
use domain::listing::Stage;
use domain::time::UsageHour;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use usage::UsageApi;

use crate::api::Call;
use crate::application::{Said, Sent, Version, read_answer};
use crate::buyers::{Holding, some_time};
use crate::oracle::Difference;
use crate::tally::EVENTS;
use crate::world::World;

/// The time limit of the usage intake function in the template.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Makes some usage, of one license or of random ones, and has the application report it.
pub fn use_some(world: &Arc<World>, of: Option<&LicenseId>) {
    let Some(stack) = world.draw(|rng| rng.choice(world.stacks.iter().cloned())) else { return };
    let holdings: Vec<Holding> = {
        let buyers = world.buyers();
        let theirs = buyers.holdings.iter().filter(|holding| holding.stage == stack.stage);
        theirs.filter(|holding| of.is_none_or(|license| *license == holding.license)).cloned().collect()
    };
    let mut sent = Sent::new();
    for _ in 0..world.draw(|rng| rng.usize(1..=6)) {
        let Some(holding) = world.draw(|rng| rng.choice(holdings.iter())) else { return };
        sent.extend(use_one(world, holding, some_moment(world, holding)));
    }
    report_with_repeats(world, stack.stage, &sent);
}

/// Makes usage of a license at the given times, and has the application report it.
pub fn use_at(world: &Arc<World>, holding: &Holding, moments: &[Timestamp]) {
    let sent: Sent = moments.iter().filter_map(|at| use_one(world, holding, *at)).collect();
    report_with_repeats(world, holding.stage, &sent);
}

fn use_one(world: &World, holding: &Holding, at: Timestamp) -> Option<(usize, usize)> {
    let dimension = world.draw(|rng| rng.choice(holding.dimensions.iter().cloned()))?;
    let of = (holding.stage, holding.license.clone(), dimension);
    let quantity = some_quantity(world);
    world.count(EVENTS, 1);
    Some((world.application().uses(of, at, quantity), 0))
}

/// Reports events: some more than once, some a day later, some with a correction.
fn report_with_repeats(world: &Arc<World>, stage: Stage, sent: &Sent) {
    let now = world.now();
    report(world, now, stage, sent.clone(), 0);
    if world.chance(0.1) {
        // Another process sends the same events at the same time.
        report(world, now, stage, sent.clone(), 0);
        world.count("repeats", sent.len());
    }
    if world.chance(0.15) {
        let at = world.later(some_time(world, 5, 5 * 3600));
        report(world, at, stage, sent.clone(), 0);
        world.count("repeats", sent.len());
    }
    if world.chance(0.12) {
        repeat_much_later(world, stage, sent);
    }
    if world.chance(0.25) {
        let at = world.later(some_time(world, 1, 4500));
        correct(world, at, stage, sent.clone());
    }
    if world.chance(0.03) {
        let at = world.later(some_time(world, 1, 4500));
        contradict(world, at, stage, sent.clone());
    }
}

/// Simulates a mistake of the application: the same key and revision with another quantity. The content that was
/// accepted first counts.
fn contradict(world: &Arc<World>, at: Timestamp, stage: Stage, of: Sent) {
    let here = Arc::clone(world);
    world.act_at(at, "application", async move {
        let mut sent = Sent::new();
        for (number, _) in of {
            let by = Decimal::from(here.draw(|rng| rng.i64(1..1000)));
            let mut application = here.application();
            let small = |quantity: Decimal| quantity < Decimal::from(2_147_000_000);
            let fact = application.facts.get_mut(number);
            let fact = fact.filter(|fact| fact.versions.last().is_some_and(|newest| small(newest.quantity)));
            sent.extend(fact.and_then(|fact| Some((number, fact.contradict(by)?))));
        }
        here.count("contradictions", sent.len());
        let now = here.now();
        report(&here, now, stage, sent, 0);
    });
}

/// Sends events again after more than a day, or around the close of the month, as after a lost answer.
fn repeat_much_later(world: &Arc<World>, stage: Stage, sent: &Sent) {
    let minutes = SignedDuration::from_mins;
    let closes = world.scene.month_end.map(|end| end + minutes(5 * 60 + 30)).filter(|closes| *closes > world.now());
    let at = match closes.filter(|_| world.chance(0.5)) {
        Some(closes) => closes + minutes(world.draw(|rng| rng.i64(-5..150))),
        None => world.later(minutes(world.draw(|rng| rng.i64(24 * 60 - 10..30 * 60)))),
    };
    if at < world.scene.over() {
        world.count("repeats after a day or a month", sent.len());
        report(world, at, stage, sent.clone(), 0);
    }
}

fn some_moment(world: &World, holding: &Holding) -> Timestamp {
    let now = world.now();
    let last_month = world.scene.month_end.filter(|end| *end <= now && now.duration_since(*end).as_hours() < 7);
    if let Some(end) = last_month.filter(|_| world.chance(0.6)) {
        return end - SignedDuration::from_secs(world.draw(|rng| rng.i64(1..18 * 3600)));
    }
    let ago = match world.draw(|rng| rng.u8(0..100)) {
        0..60 => world.draw(|rng| rng.i64(0..600)),
        60..80 => world.draw(|rng| rng.i64(600..4200)),
        80..96 => world.draw(|rng| rng.i64(4200..24 * 3600)),
        96..98 => world.draw(|rng| rng.i64(24 * 3600 - 60..26 * 3600)),
        _ => -world.draw(|rng| rng.i64(1..300)),
    };
    let time = now - SignedDuration::from_secs(ago);
    if world.chance(0.9) { time.max(holding.since).min(now.max(time)) } else { time }
}

fn some_quantity(world: &World) -> Decimal {
    world.draw(|rng| match rng.u16(0..1000) {
        0..30 => Decimal::ZERO,
        30..150 => Decimal::new(rng.i64(1..9_000_000), rng.u32(1..=6)),
        150..153 if world.scene.month_end.is_none() => Decimal::from(2_147_483_647),
        _ => Decimal::from(rng.u32(1..60)),
    })
}

/// Reports a higher revision of some of these events.
fn correct(world: &Arc<World>, at: Timestamp, stage: Stage, of: Sent) {
    let here = Arc::clone(world);
    world.act_at(at, "application", async move {
        let mut sent = Sent::new();
        for (number, _) in of {
            if here.chance(0.4) {
                continue;
            }
            // Each correction has another quantity, so that the bill shows which one counted.
            let by = here.draw(|rng| rng.i64(1..1000));
            let mut application = here.application();
            let Some(fact) = application.facts.get_mut(number) else { continue };
            let most = fact.versions.iter().map(|version| version.quantity).max().unwrap_or_default();
            let quantity =
                if most < Decimal::from(2_147_000_000) { most + Decimal::from(by) } else { Decimal::from(by) };
            let revision = fact.versions.last().map_or(0, |newest| newest.revision + 1);
            fact.versions.push(Version::new(revision, quantity));
            sent.push((number, fact.versions.len() - 1));
        }
        here.count("corrections", sent.len());
        let now = here.now();
        report(&here, now, stage, sent, 0);
    });
}

/// Sends events, and sends those without a certain answer again.
pub fn report(world: &Arc<World>, at: Timestamp, stage: Stage, sent: Sent, times: u32) {
    if sent.is_empty() {
        return;
    }
    let here = Arc::clone(world);
    world.act_at(at, "application", async move {
        let Some(stack) = here.stack(stage) else { return };
        let Some(ids) = sent.iter().map(|(fact, _)| here.id_of(*fact)).collect::<Option<Vec<LicenseId>>>() else {
            return;
        };
        let before = here.application().accepted_before(&sent);
        let events = here.application().events(&sent, &ids);
        let process = here.instance();
        here.tell(|| format!("reports to instance {process}: {events}"));
        let call = Call::post("/v1/usage", "application/json", events.to_string());
        let (Some(event), Some(process)) = (call.event(), stack.usage.get(process)) else { return };
        here.count("requests of usage", 1);
        let handled = async move |function: Arc<UsageApi>| function.handle(event).await;
        let said = match here.run_in(process, TIME_LIMIT, (0.12, 40), handled).await {
            Some(answer) => here.understand(&answer, sent.len()),
            None => vec![Said::Nothing; sent.len()],
        };
        here.tell(|| format!("is told {said:?}"));
        if has_late(&here, &sent) && here.chance(0.5) {
            stack.attend(here.later(SignedDuration::from_mins(6)));
        }
        count_answers(&here, &said, &before);
        check_moving(&here, &sent, &said);
        let mut again = here.application().hears(&sent, &before, &said);
        let unknown = |said: &Said| *said == Said::Refused("license_unknown".to_owned());
        if times < 6 && !here.is_over() {
            let unknown = sent.iter().zip(&said).filter(|(_, said)| unknown(said)).map(|(sent, _)| *sent);
            again.extend(unknown);
        }
        let longest = if here.is_over() { 900 } else { 30_i64 << times.min(9) };
        let at = here.later(some_time(&here, 2, longest));
        report(&here, at, stage, again, times + 1);
    });
}

/// Returns `true` if one of the events happened in an hour that is already summed.
fn has_late(world: &World, sent: &Sent) -> bool {
    let open = UsageHour::of(world.now() - SignedDuration::from_mins(5)).start();
    let application = world.application();
    sent.iter().filter_map(|(fact, _)| application.facts.get(*fact)).any(|fact| fact.time < open)
}

fn count_answers(world: &World, said: &[Said], before: &[bool]) {
    for (said, before) in said.iter().zip(before) {
        let name = match said {
            Said::Taken if *before => "taken in before".to_owned(),
            Said::Taken => "taken in".to_owned(),
            Said::Conflict => "in conflict".to_owned(),
            Said::Refused(code) => format!("refused as {code}"),
            Said::Retry(code) => format!("to be sent again: {code}"),
            Said::Nothing => "not answered".to_owned(),
        };
        world.count(&format!("events {name}"), 1);
    }
}

/// The longest time after the hour of a move for which usage may be answered with `license_moving`.
const MOVING_MAX: SignedDuration = SignedDuration::from_mins(15);

fn check_moving(world: &World, sent: &Sent, said: &[Said]) {
    let now = world.now();
    for ((number, _), said) in sent.iter().zip(said) {
        let Some((buyer, time)) = world.application().facts.get(*number).map(|fact| (fact.buyer.clone(), fact.time))
        else {
            continue;
        };
        let (at, is_back) = {
            let buyers = world.buyers();
            let at = buyers.holding(&buyer).and_then(|holding| Some(holding.move_to.as_ref()?.at));
            let Some(at) = at else { continue };
            (at, buyers.activations.iter().filter(|(license, _)| *license == buyer).count() > 1)
        };
        world.count(&format!("usage of who moves: {}", key_of((time, now, at), said)), 1);
        let is_moving = *said == Said::Retry("license_moving".to_owned());
        // A buyer who has subscribed again returns once the event about that was processed and the reporter has run.
        if is_moving && now.duration_since(at) > MOVING_MAX && !is_back {
            world.differ(&buyer, format!("{buyer} is answered license_moving more than 15 minutes after {at}"));
        }
    }
}

/// Returns the case of usage around a move: by the time of the usage, the time of the report, and the answer.
fn key_of((time, now, at): (Timestamp, Timestamp, Timestamp), said: &Said) -> &'static str {
    let open_until = UsageHour::of(time).open_until();
    match said {
        Said::Retry(code) if code == "license_moving" => "not now",
        Said::Taken | Said::Conflict if time >= at && now < at => "of after it, before it",
        Said::Taken | Said::Conflict if time >= at => "of after it",
        Said::Taken | Said::Conflict if now < at => "of before it, before it",
        Said::Taken | Said::Conflict if now < open_until => "of before it, in the open hour",
        Said::Taken => "of before it, taken in later",
        Said::Conflict => "of before it, in conflict later",
        Said::Refused(_) => "refused",
        Said::Retry(_) | Said::Nothing => "not answered",
    }
}

impl World {
    /// Returns an id of a fact's buyer: one of the two at random if the buyer moves.
    fn id_of(&self, fact: usize) -> Option<LicenseId> {
        let buyer = self.application().facts.get(fact)?.buyer.clone();
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

    fn understand(&self, answer: &ApiGatewayV2httpResponse, count: usize) -> Vec<Said> {
        let body = match &answer.body {
            Some(Body::Text(text)) => text.as_str(),
            _ => "",
        };
        read_answer(answer.status_code, body, count).unwrap_or_else(|| {
            if answer.status_code < 500 {
                let what = format!("intake answered {} {body}", answer.status_code);
                self.watch().differences.push(Difference::of_world(what));
            }
            vec![Said::Nothing; count]
        })
    }
}
