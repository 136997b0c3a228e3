//! Usage is sent, answered or not, sent again, repeated and corrected.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use stallkeeper::ids::LicenseId;
use stallkeeper::listing::Stage;
use stallkeeper::time::UsageHour;

use crate::application::{Known, Said, Sent, Version, read_answer};
use crate::buyers::{Holding, request, some_time};
use crate::life::{End, Life};
use crate::tally::EVENTS;
use crate::world::World;

/// What the function that takes usage in may take, as the template has it.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Some things are used, of some licenses or of one, and the application reports them.
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
        let Some(dimension) = world.draw(|rng| rng.choice(holding.dimensions.iter().cloned())) else { return };
        let (time, quantity) = (some_moment(world, holding), some_quantity(world));
        let of = (stack.stage, holding.license.clone(), dimension);
        sent.push((world.application().uses(of, time, quantity), 0));
    }
    world.count(EVENTS, sent.len());
    let now = world.now();
    report(world, now, stack.stage, sent.clone(), 0);
    if world.chance(0.1) {
        // The same at the same time, by another process.
        report(world, now, stack.stage, sent.clone(), 0);
        world.count("repeats", sent.len());
    }
    if world.chance(0.15) {
        let at = world.later(some_time(world, 5, 5 * 3600));
        report(world, at, stack.stage, sent.clone(), 0);
        world.count("repeats", sent.len());
    }
    if world.chance(0.25) {
        let at = world.later(some_time(world, 1, 4500));
        correct(world, at, stack.stage, sent);
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

/// A higher revision of some of these.
fn correct(world: &Arc<World>, at: Timestamp, stage: Stage, of: Sent) {
    let here = Arc::clone(world);
    world.act_at(at, "application", async move {
        let mut sent = Sent::new();
        for (number, _) in of {
            if here.chance(0.4) {
                continue;
            }
            // Each correction is another quantity, so that what is billed tells which one counted.
            let by = here.draw(|rng| rng.i64(1..1000));
            let mut application = here.application();
            let Some(fact) = application.facts.get_mut(number) else { continue };
            let most = fact.versions.iter().map(|version| version.quantity).max().unwrap_or_default();
            let quantity =
                if most < Decimal::from(2_147_000_000) { most + Decimal::from(by) } else { Decimal::from(by) };
            fact.versions.push(Version { quantity, known: Known::Open, in_doubt: false });
            sent.push((number, fact.versions.len() - 1));
        }
        here.count("corrections", sent.len());
        let now = here.now();
        report(&here, now, stage, sent, 0);
    });
}

/// The application sends events, and those that are not answered for certain again.
fn report(world: &Arc<World>, at: Timestamp, stage: Stage, sent: Sent, times: u32) {
    if sent.is_empty() {
        return;
    }
    let here = Arc::clone(world);
    world.act_at(at, "application", async move {
        let Some(stack) = here.stack(stage) else { return };
        let events = here.application().events(&sent);
        here.tell(|| format!("reports {events}"));
        let Some(event) = request("/v1/usage", "application/json", &events.to_string()) else { return };
        let chance = if here.is_over() { 0.0 } else { 0.12 };
        let (process, life) = here.draw(|rng| (rng.usize(0..2), Life::drawn(rng, chance, 40)));
        let Some(process) = stack.usage.get(process) else { return };
        let function = process.function();
        here.count("requests of usage", 1);
        let said = match life.of(TIME_LIMIT, async move { function.handle(event).await }).await {
            End::Answer(answer) => here.understand(&answer, sent.len()),
            End::Crash | End::TimeLimit => {
                process.dies();
                here.count("crashes", 1);
                here.tell(|| "the process of intake died".to_owned());
                vec![Said::Nothing; sent.len()]
            }
        };
        here.tell(|| format!("is told {said:?}"));
        for said in &said {
            let name = match said {
                Said::Taken => "taken in".to_owned(),
                Said::Conflict => "in conflict".to_owned(),
                Said::Refused(code) => format!("refused as {code}"),
                Said::Nothing => "not answered for certain".to_owned(),
            };
            here.count(&format!("events {name}"), 1);
        }
        let mut again = here.application().hears(&sent, &said);
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

impl World {
    fn understand(&self, answer: &ApiGatewayV2httpResponse, count: usize) -> Vec<Said> {
        let body = match &answer.body {
            Some(Body::Text(text)) => text.as_str(),
            _ => "",
        };
        read_answer(answer.status_code, body, count).unwrap_or_else(|| {
            if answer.status_code < 500 {
                self.watch().differences.push(format!("intake answered {} {body}", answer.status_code));
            }
            vec![Said::Nothing; count]
        })
    }
}

/// The hour that is running, of somebody's license: another system books it at AWS under the same name.
pub fn strange_booking(world: &Arc<World>) -> Option<(Holding, UsageHour)> {
    let holdings = world.buyers().holdings.clone();
    let holding = world.draw(|rng| rng.choice(holdings))?;
    Some((holding, UsageHour::of(world.now())))
}
