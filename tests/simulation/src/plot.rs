//! What happens in a world: two days in which everything goes wrong, and one in which nothing does any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stallkeeper::ids::LicenseId;
use stallkeeper::metering::RecordName;
use stallkeeper::time::UsageHour;

use crate::buyers::{Holding, buy, everyone_leaves, everyone_registers};
use crate::faults::{Pair, outage, struck};
use crate::life::{End, Life};
use crate::stack::Stack;
use crate::tally::add;
use crate::usage_of::{strange_booking, use_some};
use crate::watch::{records, state};
use crate::world::World;

/// How long the functions may take, as the template has it.
const REPORTER_TIME_LIMIT: Duration = Duration::from_secs(290);
const NEWS_TIME_LIMIT: Duration = Duration::from_secs(60);

const HOURS: i64 = 48;

/// How many requests of usage there are at least, besides those that follow from something.
const REPORTS: usize = 62;

/// How many more there may be, where those were of too few events.
const MORE_REPORTS: i64 = 90;

/// How many faults are planned; not all of them strike.
const FAULTS: usize = 40;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Plays it to the end.
pub async fn play(world: &Arc<World>) {
    plan_purchases(world);
    plan_usage(world);
    plan_reporter(world);
    plan_news(world);
    plan_faults(world);
    plan_looks(world);
    world.time.reach(world.scene.over()).await;
    clear_faults(world);
    world.network.calm();
    for stack in &world.stacks {
        stack.queue.release();
    }
    world.tell(|| "=== from here on nothing goes wrong ===".to_owned());
    everyone_registers(world);
    come_to_an_end(world).await;
}

fn some_second(world: &World, hours: i64) -> Timestamp {
    world.scene.start + seconds(world.draw(|rng| rng.i64(1..hours * 3600)))
}

fn plan_purchases(world: &Arc<World>) {
    let stages = &world.scene.stages;
    let sold: Vec<_> = world.scene.listings.iter().filter(|listing| stages.contains(&listing.stage)).collect();
    let times = [(3, 1), (world.draw(|rng| rng.usize(0..2)), 36)];
    for (count, within) in times {
        for _ in 0..count {
            let Some(product) = world.draw(|rng| rng.choice(sold.iter())).map(|listing| listing.product_code.clone())
            else {
                return;
            };
            let (at, here) = (some_second(world, within), Arc::clone(world));
            world.act_at(at, "buyer", async move { buy(&here, &product, None) });
        }
    }
    if world.chance(0.3) {
        // A listing of a stage that may have no stack here: then nobody meters it.
        let listing = world.scene.listings.last().map(|listing| listing.product_code.clone());
        let (at, here) = (some_second(world, 3), Arc::clone(world));
        world.act_at(at, "buyer", async move {
            if let Some(product) = listing {
                buy(&here, &product, None);
            }
        });
    }
}

fn plan_usage(world: &Arc<World>) {
    for _ in 0..REPORTS {
        let mut at = some_second(world, HOURS);
        match world.draw(|rng| rng.u8(0..10)) {
            // Around the turn of an hour and its five minutes.
            0..=2 => at = UsageHour::of(at).end() + seconds(world.draw(|rng| rng.i64(-120..420))),
            // While the month is closed.
            3..=4 => {
                if let Some(end) = world.scene.month_end {
                    at = end + seconds(world.draw(|rng| rng.i64(-1800..6 * 3600)));
                }
            }
            _ => {}
        }
        let here = Arc::clone(world);
        world.act_at(at.min(world.scene.over()), "application", async move { use_some(&here, None) });
    }
    // Where there was too little by the last hours, because nobody had bought yet or the stage has no stack, there is
    // more then.
    for minutes in 0..MORE_REPORTS {
        let at = world.scene.over() - seconds(60 * (MORE_REPORTS - minutes));
        let here = Arc::clone(world);
        world.act_at(at, "application", async move {
            if here.tally().is_quiet() {
                use_some(&here, None);
            }
        });
    }
}

fn plan_reporter(world: &Arc<World>) {
    for stack in &world.stacks {
        let outages: Vec<(Timestamp, Timestamp)> = (0..world.draw(|rng| rng.usize(0..3)))
            .map(|_| {
                let from = some_second(world, HOURS);
                (from, from + seconds(world.draw(|rng| rng.i64(600..7 * 3600))))
            })
            .collect();
        let mut hour = UsageHour::of(world.scene.start);
        while hour.start() < world.scene.over() {
            // The hour before is summed from :10 on and swept from :15 on.
            let mut marks = vec![world.draw(|rng| rng.i64(10 * 60..20 * 60))];
            if world.chance(0.08) {
                marks.push(world.draw(|rng| rng.i64(0..3600)));
            }
            let closes_month = world.scene.month_end.is_some_and(|end| hour.start() == end + seconds(5 * 3600));
            if closes_month {
                marks.extend([36 * 60, 41 * 60, 46 * 60, 55 * 60]);
            }
            for mark in marks {
                let at = hour.start() + seconds(mark + world.draw(|rng| rng.i64(0..45)));
                let is_out = outages.iter().any(|(from, until)| *from <= at && at < *until);
                if !is_out && !world.chance(0.12) && at > world.scene.start {
                    report_usage_at(world, at, stack);
                    if world.chance(0.08) {
                        // A second one, while the first is under way.
                        let later = SignedDuration::from_millis(world.draw(|rng| rng.i64(0..1500)));
                        report_usage_at(world, at + later, stack);
                    }
                }
            }
            hour = hour.next();
        }
    }
}

/// A license comes to its end: usage is still sent, and the reporter has an hour.
pub fn last_hour(world: &Arc<World>, license: Option<&LicenseId>) {
    for _ in 0..world.draw(|rng| rng.usize(0..4)) {
        let at = world.later(seconds(world.draw(|rng| rng.i64(0..300))));
        let (here, license) = (Arc::clone(world), license.cloned());
        world.act_at(at, "application", async move { use_some(&here, license.as_ref()) });
    }
    if world.chance(0.4) {
        hear_and_flush_at_once(world, license);
    }
    for mark in [15, 60, 130] {
        let at = world.later(seconds(world.draw(|rng| rng.i64(mark / 2..mark * 2))));
        hear_news_at(world, at);
    }
    if world.chance(0.15) {
        return;
    }
    for minutes in [4, 12, 40, 55] {
        let at = world.later(seconds(minutes * 60 + world.draw(|rng| rng.i64(-30..180))));
        for stack in &world.stacks {
            report_usage_at(world, at, stack);
        }
    }
}

/// Intake remembers the license from just before the end is heard; the reporter runs right after that, and usage goes on.
fn hear_and_flush_at_once(world: &Arc<World>, license: Option<&LicenseId>) {
    let begin = world.draw(|rng| rng.i64(1..20));
    for after in [0, 1, 22, 30, 38, 45] {
        let at = world.later(seconds(begin + after));
        let (here, license) = (Arc::clone(world), license.cloned());
        world.act_at(at, "application", async move { use_some(&here, license.as_ref()) });
    }
    hear_news_at(world, world.later(seconds(begin + 4)));
    let at = world.later(seconds(begin + world.draw(|rng| rng.i64(8..18))));
    for stack in &world.stacks {
        report_usage_at(world, at, stack);
    }
}

fn report_usage_at(world: &Arc<World>, at: Timestamp, stack: &Arc<Stack>) {
    let (here, stack) = (Arc::clone(world), Arc::clone(stack));
    world.act_at(at, "reporter", async move { report_usage(&here, &stack).await });
}

/// One run of the reporter.
async fn report_usage(world: &World, stack: &Stack) {
    if stack.is_reporting() {
        if !world.chance(0.8) {
            return;
        }
        world.count("runs beside another", 1);
    }
    stack.reporters.fetch_add(1, Ordering::Relaxed);
    let chance = if world.is_over() { 0.0 } else { 0.25 };
    let life = world.draw(|rng| Life::drawn(rng, chance, 500));
    let function = stack.metering.function();
    world.tell(|| format!("run of {}", stack.stage.as_str()));
    let run = async move { function.run(REPORTER_TIME_LIMIT).await };
    match life.of(REPORTER_TIME_LIMIT, run).await {
        End::Answer(Ok(report)) => world.tell(|| format!("run is done: {report:?}")),
        End::Answer(Err(error)) => {
            world.tell(|| format!("run failed: {}", stallkeeper::aws::chain(&error)));
            world.count("runs that failed", 1);
        }
        end @ (End::Crash | End::TimeLimit) => {
            let is_crash = matches!(end, End::Crash);
            world.tell(|| if is_crash { "run died".to_owned() } else { "run took too long".to_owned() });
            world.count(if is_crash { "crashes" } else { "runs that took too long" }, 1);
            stack.metering.dies();
        }
    }
    world.count("runs", 1);
    stack.reporters.fetch_sub(1, Ordering::Relaxed);
}

fn plan_news(world: &Arc<World>) {
    let mut at = world.scene.start;
    while at < world.scene.over() {
        at += seconds(world.draw(|rng| rng.i64(20..900)));
        hear_news_at(world, at);
    }
    for stack in &world.stacks {
        for _ in 0..world.draw(|rng| rng.usize(0..3)) {
            let from = some_second(world, HOURS);
            let until = from + seconds(world.draw(|rng| rng.i64(60..5 * 3600)));
            let (here, held) = (Arc::clone(world), Arc::clone(stack));
            world.act_at(from, "queue", async move {
                here.tell(|| "the news is held back".to_owned());
                held.queue.hold();
            });
            let (here, held) = (Arc::clone(world), Arc::clone(stack));
            world.act_at(until, "queue", async move {
                here.tell(|| "the news comes again".to_owned());
                held.queue.release();
            });
        }
    }
}

fn hear_news_at(world: &Arc<World>, at: Timestamp) {
    let here = Arc::clone(world);
    world.act_at(at, "queue", async move { hear_news(&here) });
}

/// What is due goes onto the queues, and from there to the functions.
fn hear_news(world: &Arc<World>) {
    let now = world.now();
    loop {
        let due = world.bus().take_due(now);
        let Some((at, news)) = due else { break };
        for stack in &world.stacks {
            if let Some(body) = sandbox::bus::message(at, &news, &stack.listings) {
                stack.queue.put(body, at);
            }
        }
    }
    for stack in &world.stacks {
        if !world.is_over() {
            match world.draw(|rng| rng.u8(0..20)) {
                0 => stack.queue.duplicate(1),
                1 => stack.queue.redeliver(world.draw(|rng| rng.usize(1..6))),
                2..=4 => stack.queue.reorder(world.draw(|rng| rng.u64(..))),
                _ => {}
            }
        }
        while let Some(batch) = stack.queue.receive(now) {
            let Ok(event) = batch.event() else { continue };
            world.count("deliveries of news", 1);
            let (here, stack) = (Arc::clone(world), Arc::clone(stack));
            world.act_at(now, "subscription", async move {
                here.tell(|| {
                    let said = event.records.iter().filter_map(|record| record.body.as_deref()).map(in_short);
                    format!("hears {}", said.collect::<Vec<_>>().join(" | "))
                });
                let chance = if here.is_over() { 0.0 } else { 0.12 };
                let life = here.draw(|rng| Life::drawn(rng, chance, 60));
                let function = stack.subscription.function();
                let answer = match life.of(NEWS_TIME_LIMIT, async move { function.handle(event).await }).await {
                    End::Answer(answer) => {
                        here.tell(|| format!("{} of the batch come again", answer.batch_item_failures.len()));
                        Some(answer)
                    }
                    End::Crash | End::TimeLimit => {
                        here.tell(|| "the process died".to_owned());
                        here.count("crashes", 1);
                        stack.subscription.dies();
                        None
                    }
                };
                stack.queue.finish(&batch, answer);
            });
        }
    }
}

/// A message in few words.
fn in_short(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if body.get("Message").is_some() {
        return format!("{} {}", text("/Timestamp"), text("/Message"));
    }
    let license = body.pointer("/detail/license/arn").or_else(|| body.pointer("/detail/licenseArn"));
    format!(
        "{} {} {} {}",
        text("/time"),
        text("/detail-type"),
        license.and_then(Value::as_str).unwrap_or_default(),
        text("/detail/agreement/id"),
    )
}

fn plan_faults(world: &Arc<World>) {
    let pairs = Pair::all();
    for _ in 0..FAULTS {
        let Some(pair) = world.draw(|rng| rng.choice(pairs.iter().copied())) else { return };
        let (at, here) = (some_second(world, HOURS), Arc::clone(world));
        world.act_at(at, "fault", async move {
            let fault = here.draw(|rng| pair.drawn(rng));
            here.tell(|| format!("{fault:?} is planned"));
            if let Err(refused) = here.aws.faults().add(fault) {
                here.watch().differences.push(format!("a fault was not planned: {refused}"));
            }
        });
    }
    if world.chance(0.35) {
        let from = some_second(world, HOURS);
        let here = Arc::clone(world);
        world.act_at(from, "fault", async move {
            let fault = here.draw(outage);
            here.tell(|| format!("AWS is out: {fault:?}"));
            if let Err(refused) = here.aws.faults().add(fault) {
                here.watch().differences.push(format!("a fault was not planned: {refused}"));
            }
        });
        let until = from + crate::buyers::some_time(world, 300, 26 * 3600);
        let here = Arc::clone(world);
        world.act_at(until, "fault", async move {
            here.tell(|| "AWS is there again".to_owned());
            clear_faults(&here);
        });
    }
    // Every world sees some.
    for hour in 0..12 {
        let at = world.scene.start + seconds((hour * 4 + 1) * 3600 - world.draw(|rng| rng.i64(0..3000)));
        let common = pairs.iter().copied().filter(Pair::is_of_every_run);
        let pair = world.draw(|rng| rng.choice(common.collect::<Vec<_>>()));
        let here = Arc::clone(world);
        world.act_at(at, "fault", async move {
            let Some(pair) = pair else { return };
            let fault = here.draw(|rng| pair.drawn(rng));
            here.tell(|| format!("{fault:?} is planned"));
            // What is planned here fits, as what is drawn from all pairs does.
            let _ = here.aws.faults().add(fault);
        });
    }
}

/// Counts which faults have struck, and forgets the plan.
fn clear_faults(world: &World) {
    let struck = struck(world.aws.faults());
    world.aws.faults().clear();
    let mut tally = world.tally();
    for (name, count) in struck {
        add(&mut tally.struck, &name, count);
    }
}

/// From time to time somebody looks at the records, and sometimes another system books an hour.
fn plan_looks(world: &Arc<World>) {
    for _ in 0..9 {
        let (at, here) = (some_second(world, HOURS), Arc::clone(world));
        world.act_at(at, "watch", async move { look(&here, 5).await });
    }
    if world.chance(0.12) {
        let (at, here) = (some_second(world, HOURS), Arc::clone(world));
        world.act_at(at, "somebody", async move {
            if let Some((holding, hour)) = strange_booking(&here) {
                book(&here, &holding, hour).await;
            }
        });
    }
}

/// Looks at all records of the last hours.
pub async fn look(world: &World, hours: i64) {
    let from = UsageHour::of(world.now() - SignedDuration::from_hours(hours));
    let to = UsageHour::of(world.now() + SignedDuration::from_hours(1));
    let holdings = world.buyers().holdings.clone();
    for holding in holdings {
        let Some(stack) = world.stack(holding.stage) else { continue };
        match records(stack, &holding.license, (from, to)).await {
            Ok(records) => {
                let mut tally = world.tally();
                for record in &records {
                    add(&mut tally.states, state(&record.state), 1);
                }
                world.watch().look(&records);
            }
            Err(error) => world.watch().differences.push(format!("records cannot be read: {error}")),
        }
    }
}

/// Another system books the running hour of a license with a quantity of its own.
async fn book(world: &World, holding: &Holding, hour: UsageHour) {
    let Some(dimension) = holding.dimensions.first() else { return };
    let at = world.now().as_second();
    let mut record = json!({ "Timestamp": at, "Dimension": dimension.as_str(), "Quantity": 987_654 });
    let mut call = json!({});
    match (&holding.arn, holding.license.as_str().split_once('~')) {
        (Some(arn), _) => {
            record["LicenseArn"] = json!(arn.as_str());
            record["CustomerAWSAccountId"] = json!(holding.account.as_str());
        }
        (None, Some((product, customer))) => {
            call["ProductCode"] = json!(product);
            record["CustomerIdentifier"] = json!(customer);
        }
        (None, None) => return,
    }
    call["UsageRecords"] = json!([record]);
    let mut request = HttpRequest::new(call.to_string().into());
    if request.set_method("POST").is_err() {
        return;
    }
    request.headers_mut().insert("x-amz-target", "AWSMPMeteringService.BatchMeterUsage");
    request.headers_mut().insert("content-type", "application/x-amz-json-1.1");
    let answer = world.aws.in_process().past_faults().ask(request).await;
    let body = answer.ok().and_then(|answer| serde_json::from_slice::<Value>(answer.body().bytes()?).ok());
    let status = body.as_ref().and_then(|body| body.pointer("/Results/0/Status")).and_then(Value::as_str);
    if status == Some("Success") {
        world.tell(|| format!("another system books {} {hour} {dimension}", holding.license));
        world.count("bookings of another system", 1);
        let name = RecordName { license: holding.license.clone(), hour, dimension: dimension.clone() };
        world.watch().strange.insert(name);
    }
}

/// Everything that was begun comes to its end: the reporter runs, news is heard, usage is sent until it is answered.
async fn come_to_an_end(world: &Arc<World>) {
    let minutes = [vec![10; 3], vec![25; 3], vec![325; 5], vec![16; 2]].concat();
    for (step, pause) in minutes.into_iter().enumerate() {
        if step == 1 {
            everyone_leaves(world);
        }
        world.time.reach(world.later(SignedDuration::from_mins(pause))).await;
        hear_news(world);
        for stack in &world.stacks {
            report_usage(world, stack).await;
        }
    }
}
