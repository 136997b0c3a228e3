//! The actions of an operator while everything runs: reconciling licenses, requeuing records, linking licenses to other
//! tenants, and redriving dead letters.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::LicenseId;
use jiff::SignedDuration;
use serde_json::Value;
use usage::UsageApi;

use crate::api::{Answer, Call};
use crate::buyers::Holding;
use crate::stack::Stack;
use crate::tenants::give;
use crate::world::World;

/// The time limit of the usage intake function in the template.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Plans the actions of an operator.
pub fn plan_operator(world: &Arc<World>) {
    let storm = (world.scene.start, world.scene.over());
    for _ in 0..world.draw(|rng| rng.usize(0..5)) {
        let (at, here) = (world.some_second(storm), Arc::clone(world));
        world.act_at(at, "operator", async move {
            if let Some(holding) = some_holding(&here) {
                reconcile(&here, &holding.license).await;
            }
        });
    }
    for _ in 0..world.draw(|rng| rng.usize(0..4)) {
        let (at, here) = (world.some_second(storm), Arc::clone(world));
        world.act_at(at, "operator", async move {
            let holding = some_holding(&here);
            if let Some((holding, stack)) = holding.and_then(|it| Some((it.clone(), here.stack(it.stage)?.clone()))) {
                give(&here, &stack, &holding).await;
            }
        });
    }
    for stack in &world.stacks {
        for _ in 0..world.draw(|rng| rng.usize(1..4)) {
            let (at, here, stack) = (world.some_second(storm), Arc::clone(world), Arc::clone(stack));
            world.act_at(at, "operator", async move {
                requeue_problems(&here, &stack).await;
                stack.queue.redrive(here.now());
            });
        }
    }
}

fn some_holding(world: &World) -> Option<Holding> {
    let holdings = world.buyers().holdings.clone();
    world.draw(|rng| rng.choice(holdings))
}

/// Reconciles a license on demand, under every id of its buyer.
pub async fn reconcile(world: &Arc<World>, license: &LicenseId) {
    let Some(holding) = world.buyers().holding(license).cloned() else { return };
    let Some(stack) = world.stack(holding.stage).cloned() else { return };
    for id in holding.ids() {
        let call = Call::post(format!("/v1/licenses/{id}/reconcile"), "application/json", "");
        let Some(answer) = world.ask(&stack, &call).await else { continue };
        world.count("reconciled on demand", usize::from(answer.status == 200));
        for (list, what) in [("/repairs", "repair"), ("/findings", "finding")] {
            for found in answer.list(list) {
                let kind = found.get("kind").and_then(Value::as_str).unwrap_or_default();
                world.count(&format!("{what}: {kind}"), 1);
            }
        }
    }
}

/// Requeues every record that can be requeued.
pub async fn requeue_problems(world: &Arc<World>, stack: &Arc<Stack>) {
    let call = Call::get("/v1/usage/problems?limit=100");
    let Some(problems) = ask_usage(world, stack, &call).await else { return };
    let mut records = Vec::new();
    for problem in problems.list("/problems") {
        let kind = problem.get("kind").and_then(Value::as_str).unwrap_or_default();
        world.count(&format!("problem: {kind}"), 1);
        if problem.get("requeue") == Some(&Value::Bool(true)) {
            records.extend(problem.get("record").and_then(Value::as_str).map(str::to_owned));
        }
    }
    stack.attend(world.later(SignedDuration::from_mins(11)));
    for record in records {
        let path = format!("/v1/usage/{record}/requeue");
        let outcome = match ask_usage(world, stack, &Call::post(path, "application/json", "")).await {
            None => "not answered".to_owned(),
            Some(answer) if answer.status == 200 => "done".to_owned(),
            Some(answer) => answer.text("/code").to_owned(),
        };
        world.count(&format!("requeue: {outcome}"), 1);
    }
}

async fn ask_usage(world: &Arc<World>, stack: &Stack, call: &Call) -> Option<Answer> {
    let event = call.event()?;
    let process = world.draw(|rng| rng.choice(stack.usage.iter()))?;
    let handled = async move |function: Arc<UsageApi>| function.handle(event).await;
    let answer = world.run_in(process, TIME_LIMIT, (0.05, 40), handled).await?;
    world.tell(|| format!("{call:?} is answered {}", answer.status_code));
    Some(Answer::read(&answer)).filter(|answer| answer.status < 500)
}
