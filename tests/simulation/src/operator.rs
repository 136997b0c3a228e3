//! The actions of an operator while everything runs: reconciling licenses, requeuing records, linking licenses to other
//! tenants, and redriving dead letters.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::LicenseId;
use jiff::SignedDuration;
use serde_json::Value;
use usage::UsageApi;

use crate::api::{Answer, Call};
use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::stack::Stack;
use crate::tenants::reassign;

/// The time limit of the usage intake function in the template.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Plans the actions of an operator.
pub fn plan_operator(sim: &Arc<Simulation>) {
    let fault_period = (sim.scenario.start, sim.scenario.faults_end());
    for _ in 0..sim.draw(|rng| rng.usize(0..5)) {
        let (at, handle) = (sim.some_second(fault_period), Arc::clone(sim));
        sim.act_at(at, "operator", async move {
            if let Some(holding) = some_holding(&handle) {
                reconcile(&handle, &holding.license).await;
            }
        });
    }
    for _ in 0..sim.draw(|rng| rng.usize(0..4)) {
        let (at, handle) = (sim.some_second(fault_period), Arc::clone(sim));
        sim.act_at(at, "operator", async move {
            let holding = some_holding(&handle);
            if let Some((holding, stack)) = holding.and_then(|it| Some((it.clone(), handle.stack(it.stage)?.clone()))) {
                reassign(&handle, &stack, &holding).await;
            }
        });
    }
    for stack in &sim.stacks {
        for _ in 0..sim.draw(|rng| rng.usize(1..4)) {
            let (at, handle, stack) = (sim.some_second(fault_period), Arc::clone(sim), Arc::clone(stack));
            sim.act_at(at, "operator", async move {
                requeue_problems(&handle, &stack).await;
                stack.queue.redrive(handle.now());
            });
        }
    }
}

fn some_holding(sim: &Simulation) -> Option<Holding> {
    let holdings = sim.buyers().holdings.clone();
    sim.draw(|rng| rng.choice(holdings))
}

/// Reconciles a license on demand, under every id of its buyer.
pub async fn reconcile(sim: &Arc<Simulation>, license: &LicenseId) {
    let Some(holding) = sim.buyers().holding(license).cloned() else { return };
    let Some(stack) = sim.stack(holding.stage).cloned() else { return };
    for id in holding.ids() {
        let call = Call::post(format!("/v1/licenses/{id}/reconcile"), "application/json", "");
        let Some(answer) = sim.ask(&stack, &call).await else { continue };
        sim.count("reconciled on demand", usize::from(answer.status == 200));
        for (list, what) in [("/repairs", "repair"), ("/findings", "finding")] {
            for found in answer.list(list) {
                let kind = found.get("kind").and_then(Value::as_str).unwrap_or_default();
                sim.count(&format!("{what}: {kind}"), 1);
            }
        }
    }
}

/// Requeues every record that can be requeued.
pub async fn requeue_problems(sim: &Arc<Simulation>, stack: &Arc<Stack>) {
    let call = Call::get("/v1/usage/problems?limit=100");
    let Some(problems) = ask_usage(sim, stack, &call).await else { return };
    let mut records = Vec::new();
    for problem in problems.list("/problems") {
        let kind = problem.get("kind").and_then(Value::as_str).unwrap_or_default();
        sim.count(&format!("problem: {kind}"), 1);
        if problem.get("requeue") == Some(&Value::Bool(true)) {
            records.extend(problem.get("record").and_then(Value::as_str).map(str::to_owned));
        }
    }
    stack.disable_skipping_until(sim.later(SignedDuration::from_mins(11)));
    for record in records {
        let path = format!("/v1/usage/{record}/requeue");
        let outcome = match ask_usage(sim, stack, &Call::post(path, "application/json", "")).await {
            None => "not answered".to_owned(),
            Some(answer) if answer.status == 200 => "done".to_owned(),
            Some(answer) => answer.text("/code").to_owned(),
        };
        sim.count(&format!("requeue: {outcome}"), 1);
    }
}

async fn ask_usage(sim: &Arc<Simulation>, stack: &Stack, call: &Call) -> Option<Answer> {
    let event = call.event()?;
    let process = sim.draw(|rng| rng.choice(stack.usage.iter()))?;
    let handled = async move |function: Arc<UsageApi>| function.handle(event).await;
    let answer = sim.run_in(process, TIME_LIMIT, (0.05, 40), handled).await?;
    sim.log(|| format!("{call:?} is answered {}", answer.status_code));
    Some(Answer::read(&answer)).filter(|answer| answer.status < 500)
}
