//! Deliveries of AWS's events: late, twice, in another order, and sometimes never.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use subscription::Subscription;

use crate::buyers::Holding;
use crate::schedule::Stretch;
use crate::stack::Stack;
use crate::world::World;

/// The time limit of the function in the template.
const TIME_LIMIT: Duration = Duration::from_secs(60);

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// The events that never reach a queue.
#[derive(Debug, Default)]
pub struct Losses {
    /// The periods in which a share of the EventBridge events is lost.
    bad_times: Vec<Stretch>,
    /// Texts with a time: an event that contains the text goes to the seller's former backend until that time.
    elsewhere: Vec<(String, Timestamp)>,
}

/// The share of events that is lost in such a period.
const LOST: f64 = 0.6;

impl Losses {
    /// Sends the events that contain a text to the former backend, until the given time.
    pub fn send_elsewhere(&mut self, text: &str, until: Timestamp) {
        self.elsewhere.push((text.to_owned(), until));
    }

    /// Returns `true` if an event may have been lost up to the given time.
    pub fn has_lost(&self, at: Timestamp) -> bool {
        self.bad_times.iter().any(|(from, _)| *from <= at)
    }

    /// Returns `true` if the events of a buyer's purchase went to the former backend at the given time.
    pub fn went_elsewhere(&self, holding: &Holding, at: Timestamp) -> bool {
        let names = [Some(holding.agreement.as_str()), holding.customer()];
        self.elsewhere.iter().any(|(text, until)| at <= *until && names.contains(&Some(text.as_str())))
    }

    fn goes_elsewhere(&self, body: &str, at: Timestamp) -> bool {
        self.elsewhere.iter().any(|(text, until)| at <= *until && body.contains(text.as_str()))
    }

    fn is_bad_time(&self, at: Timestamp) -> bool {
        self.bad_times.iter().any(|(from, until)| *from <= at && at < *until)
    }
}

/// Plans the deliveries of events, the times at which queues are held, and the periods in which events are lost.
pub fn plan_deliveries(world: &Arc<World>) {
    let storm = (world.scene.start, world.scene.over());
    let mut at = world.scene.start;
    while at < world.scene.over() {
        at += seconds(world.draw(|rng| rng.i64(20..900)));
        deliver_events_at(world, at);
    }
    for stack in &world.stacks {
        for _ in 0..world.draw(|rng| rng.usize(0..3)) {
            let from = world.some_second(storm);
            hold_events(world, stack, (from, from + seconds(world.draw(|rng| rng.i64(60..5 * 3600)))));
        }
    }
    if world.chance(0.45) {
        let from = world.some_second(storm);
        let until = from + seconds(world.draw(|rng| rng.i64(1800..8 * 3600)));
        world.losses().bad_times.push((from, until.min(world.scene.over())));
    }
}

/// Holds a stack's queue for a period.
pub fn hold_events(world: &Arc<World>, stack: &Arc<Stack>, (from, until): Stretch) {
    let (here, held) = (Arc::clone(world), Arc::clone(stack));
    world.act_at(from, "queue", async move {
        if !here.is_over() {
            here.tell(|| "events are held back".to_owned());
            held.queue.hold();
        }
    });
    let (here, held) = (Arc::clone(world), Arc::clone(stack));
    world.act_at(until, "queue", async move {
        here.tell(|| "events are delivered again".to_owned());
        held.queue.release();
    });
}

/// Delivers events at the given time.
pub fn deliver_events_at(world: &Arc<World>, at: Timestamp) {
    let here = Arc::clone(world);
    world.act_at(at, "queue", async move { deliver_events(&here) });
}

/// Puts the due events on the queues, and passes the messages of the queues to the functions.
pub fn deliver_events(world: &Arc<World>) {
    let now = world.now();
    loop {
        let due = world.bus().take_due(now);
        let Some((at, news)) = due else { break };
        for stack in &world.stacks {
            if let Some(body) = sandbox::bus::message(at, &news, &stack.listings)
                && !is_lost(world, &body, at)
            {
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
        hand_on(world, stack);
    }
}

/// Returns `true` if an event never reaches the queue.
///
/// SNS notifications are not lost, except to the former backend: AWS offers no API that shows the state of a customer
/// key that is paid by use, so that nothing could repair the loss.
fn is_lost(world: &World, body: &str, at: Timestamp) -> bool {
    if world.losses().goes_elsewhere(body, at) {
        world.count("events to another backend", 1);
        return true;
    }
    let is_lost = world.losses().is_bad_time(world.now()) && !body.contains("TopicArn") && world.chance(LOST);
    if is_lost {
        world.tell(|| format!("an event is lost: {}", in_short(body)));
        world.count("events lost", 1);
    }
    is_lost
}

fn hand_on(world: &Arc<World>, stack: &Arc<Stack>) {
    let now = world.now();
    while let Some(batch) = stack.queue.receive(now) {
        let Ok(event) = batch.event() else { continue };
        world.count("deliveries of events", 1);
        let (here, stack) = (Arc::clone(world), Arc::clone(stack));
        world.act_at(now, "subscription", async move {
            here.tell(|| {
                let bodies = event.records.iter().filter_map(|record| record.body.as_deref()).map(in_short);
                format!("receives {}", bodies.collect::<Vec<_>>().join(" | "))
            });
            let ends = event.records.iter().filter_map(|record| record.body.as_deref()).any(is_about_an_end);
            let handled = async move |function: Arc<Subscription>| function.handle(event).await;
            let answer = here.run_in(&stack.subscription, TIME_LIMIT, (0.12, 60), handled).await;
            if ends {
                stack.attend(here.later(SignedDuration::from_mins(15)));
            }
            if let Some(answer) = &answer {
                here.tell(|| format!("{} of the batch come again", answer.batch_item_failures.len()));
            }
            stack.queue.finish(&batch, answer);
        });
    }
}

fn is_about_an_end(body: &str) -> bool {
    ["Ended", "Deprovisioned", "unsubscribe"].into_iter().any(|word| body.contains(word))
}

/// Returns a short form of a message.
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
