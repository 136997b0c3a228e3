//! The scheduled runs of the reconciliation.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use reconcile::Reconciliation;

use crate::schedule::RECONCILIATION;
use crate::simulation::Simulation;
use crate::stack::Stack;

/// Plans the runs of the reconciliation in every stack. In some seeds the schedule stops for hours.
pub fn plan_reconciliation(sim: &Arc<Simulation>) {
    let fault_period = (sim.scenario.start, sim.scenario.faults_end());
    for stack in &sim.stacks {
        let outages = sim.some_periods(fault_period, 2, 3600..20 * 3600);
        for at in RECONCILIATION.starts(sim, fault_period, &outages) {
            let (handle, stack) = (Arc::clone(sim), Arc::clone(stack));
            sim.act_at(at, "reconciliation", async move { reconcile_all(&handle, &stack, false).await });
        }
    }
}

/// Invokes the reconciliation once. `restart` restarts the day's walk, as an operator may do.
pub async fn reconcile_all(sim: &Arc<Simulation>, stack: &Arc<Stack>, restart: bool) {
    let Some(_execution) = RECONCILIATION.queue(sim, &stack.reconciling).await else { return };
    sim.log(|| format!("reconciliation of {}", stack.stage.as_str()));
    let limit = RECONCILIATION.time_limit;
    let run = async move |function: Arc<Reconciliation>| match restart {
        true => function.run_restarted(limit).await,
        false => function.run(limit).await,
    };
    match sim.run_in(&stack.reconciliation, limit, (0.12, 300), run).await {
        Some(Ok(report)) => {
            sim.log(|| format!("reconciliation is done: {report:?}"));
            count(sim, "repair", &report.repairs);
            count(sim, "finding", &report.findings);
            if !report.repairs.is_empty() {
                stack.disable_skipping_until(sim.later(SignedDuration::from_mins(15)));
            }
        }
        Some(Err(error)) => {
            sim.log(|| format!("reconciliation failed: {}", domain::errors::chain(&error)));
            sim.count("reconciliations that failed", 1);
        }
        None => sim.log(|| "reconciliation is cut short".to_owned()),
    }
    sim.count("reconciliations", 1);
}

fn count(sim: &Simulation, what: &str, by_kind: &BTreeMap<&'static str, u64>) {
    for (kind, count) in by_kind {
        sim.count(&format!("{what}: {kind}"), usize::try_from(*count).unwrap_or_default());
    }
}
