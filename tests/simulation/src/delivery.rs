//! Deliveries of AWS's events: late, twice, in another order, and sometimes never.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use subscription::Subscription;

use crate::simulation::Simulation;
use crate::stack::Stack;
use crate::time::Period;

/// The time limit of the function in the template.
const TIME_LIMIT: Duration = Duration::from_secs(60);

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// The share of events that is lost in such a period.
const LOST: f64 = 0.6;

/// Plans the deliveries of events, the times at which queues are held, and the periods in which events are lost.
pub fn plan_deliveries(sim: &Arc<Simulation>) {
    let fault_period = (sim.scenario.start, sim.scenario.faults_end());
    let mut at = sim.scenario.start;
    while at < sim.scenario.faults_end() {
        at += seconds(sim.draw(|rng| rng.i64(20..900)));
        deliver_events_at(sim, at);
    }
    for stack in &sim.stacks {
        for _ in 0..sim.draw(|rng| rng.usize(0..3)) {
            let from = sim.some_second(fault_period);
            hold_events(sim, stack, (from, from + seconds(sim.draw(|rng| rng.i64(60..5 * 3600)))));
        }
    }
    if sim.chance(0.45) {
        let from = sim.some_second(fault_period);
        let until = from + seconds(sim.draw(|rng| rng.i64(1800..8 * 3600)));
        sim.losses().lossy_periods.push((from, until.min(sim.scenario.faults_end())));
    }
}

/// Holds a stack's queue for a period.
pub fn hold_events(sim: &Arc<Simulation>, stack: &Arc<Stack>, (from, until): Period) {
    let (handle, held) = (Arc::clone(sim), Arc::clone(stack));
    sim.act_at(from, "queue", async move {
        if !handle.have_faults_ended() {
            handle.log(|| "events are held back".to_owned());
            held.queue.hold();
        }
    });
    let (handle, held) = (Arc::clone(sim), Arc::clone(stack));
    sim.act_at(until, "queue", async move {
        handle.log(|| "events are delivered again".to_owned());
        held.queue.release();
    });
}

/// Delivers events at the given time.
pub fn deliver_events_at(sim: &Arc<Simulation>, at: Timestamp) {
    let handle = Arc::clone(sim);
    sim.act_at(at, "queue", async move { deliver_events(&handle) });
}

/// Puts the due events on the queues, and passes the messages of the queues to the functions.
pub fn deliver_events(sim: &Arc<Simulation>) {
    let now = sim.now();
    loop {
        let due = sim.bus().take_due(now);
        let Some((at, event)) = due else { break };
        for stack in &sim.stacks {
            if let Some(body) = sandbox::bus::message(at, &event, &stack.listings)
                && !is_lost(sim, &body, at)
            {
                stack.queue.put(body, at);
            }
        }
    }
    for stack in &sim.stacks {
        if !sim.have_faults_ended() {
            match sim.draw(|rng| rng.u8(0..20)) {
                0 => stack.queue.duplicate(1),
                1 => stack.queue.redeliver(sim.draw(|rng| rng.usize(1..6))),
                2..=4 => stack.queue.reorder(sim.draw(|rng| rng.u64(..))),
                _ => {}
            }
        }
        deliver_to_function(sim, stack);
    }
}

/// Returns `true` if an event never reaches the queue.
///
/// SNS notifications are not lost, except to the former backend: AWS offers no API that shows the state of a customer
/// key that is paid by use, so that nothing could repair the loss.
fn is_lost(sim: &Simulation, body: &str, at: Timestamp) -> bool {
    if sim.losses().goes_to_other_backend(body, at) {
        sim.count("events to another backend", 1);
        return true;
    }
    let is_lost = sim.losses().is_lossy(sim.now()) && !body.contains("TopicArn") && sim.chance(LOST);
    if is_lost {
        sim.log(|| format!("an event is lost: {}", summary(body)));
        sim.count("events lost", 1);
    }
    is_lost
}

fn deliver_to_function(sim: &Arc<Simulation>, stack: &Arc<Stack>) {
    let now = sim.now();
    while let Some(batch) = stack.queue.receive(now) {
        let Ok(event) = batch.event() else { continue };
        sim.count("deliveries of events", 1);
        let (handle, stack) = (Arc::clone(sim), Arc::clone(stack));
        sim.act_at(now, "subscription", async move {
            handle.log(|| {
                let bodies = event.records.iter().filter_map(|record| record.body.as_deref()).map(summary);
                format!("receives {}", bodies.collect::<Vec<_>>().join(" | "))
            });
            let ends = event.records.iter().filter_map(|record| record.body.as_deref()).any(is_about_an_end);
            let handled = async move |function: Arc<Subscription>| function.handle(event).await;
            let answer = handle.run_in(&stack.subscription, TIME_LIMIT, (0.12, 60), handled).await;
            if ends {
                stack.disable_skipping_until(handle.later(SignedDuration::from_mins(15)));
            }
            if let Some(answer) = &answer {
                handle.log(|| format!("{} of the batch are delivered again", answer.batch_item_failures.len()));
            }
            stack.queue.finish(&batch, answer);
        });
    }
}

fn is_about_an_end(body: &str) -> bool {
    ["Ended", "Deprovisioned", "unsubscribe"].into_iter().any(|word| body.contains(word))
}

/// Returns a short form of a message.
fn summary(body: &str) -> String {
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
