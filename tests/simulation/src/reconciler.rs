//! The scheduled runs of the reconciliation.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use reconcile::Reconciliation;

use crate::schedule::RECONCILIATION;
use crate::stack::Stack;
use crate::world::World;

/// Plans the runs of the reconciliation in every stack. In some worlds the schedule stops for hours.
pub fn plan_reconciliation(world: &Arc<World>) {
    let storm = (world.scene.start, world.scene.over());
    for stack in &world.stacks {
        let outages = world.some_stretches(storm, 2, 3600..20 * 3600);
        for at in RECONCILIATION.starts(world, storm, &outages) {
            let (here, stack) = (Arc::clone(world), Arc::clone(stack));
            world.act_at(at, "reconciliation", async move { reconcile_all(&here, &stack, false).await });
        }
    }
}

/// Invokes the reconciliation once. `restart` restarts the day's walk, as an operator may do.
pub async fn reconcile_all(world: &Arc<World>, stack: &Arc<Stack>, restart: bool) {
    let Some(_execution) = stack.reconciling.queue(world, &RECONCILIATION).await else { return };
    world.tell(|| format!("reconciliation of {}", stack.stage.as_str()));
    let limit = RECONCILIATION.time_limit;
    let run = async move |function: Arc<Reconciliation>| match restart {
        true => function.run_restarted(limit).await,
        false => function.run(limit).await,
    };
    match world.run_in(&stack.reconciliation, limit, (0.12, 300), run).await {
        Some(Ok(report)) => {
            world.tell(|| format!("reconciliation is done: {report:?}"));
            count(world, "repair", &report.repairs);
            count(world, "finding", &report.findings);
            if !report.repairs.is_empty() {
                stack.attend(world.later(SignedDuration::from_mins(15)));
            }
        }
        Some(Err(error)) => {
            world.tell(|| format!("reconciliation failed: {}", domain::errors::chain(&error)));
            world.count("reconciliations that failed", 1);
        }
        None => world.tell(|| "reconciliation is cut short".to_owned()),
    }
    world.count("reconciliations", 1);
}

fn count(world: &World, what: &str, by_kind: &BTreeMap<&'static str, u64>) {
    for (kind, count) in by_kind {
        world.count(&format!("{what}: {kind}"), usize::try_from(*count).unwrap_or_default());
    }
}
