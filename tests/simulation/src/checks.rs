//! Checks of the records and of access while the simulation runs.

use std::sync::Arc;

use domain::time::UsageHour;
use jiff::SignedDuration;

use crate::oracle;
use crate::simulation::Simulation;
use crate::tally::add;
use crate::watch::{records, state};

/// Plans checks of the records and of access at random times.
pub fn plan_checks(sim: &Arc<Simulation>) {
    for _ in 0..9 {
        let (at, handle) = (sim.some_second((sim.scenario.start, sim.scenario.faults_end())), Arc::clone(sim));
        sim.act_at(at, "watch", async move {
            check(&handle, 5).await;
            oracle::access::judge_all(&handle).await;
        });
    }
}

/// Checks all records of the last hours.
pub async fn check(sim: &Simulation, hours: i64) {
    let from = UsageHour::of(sim.now() - SignedDuration::from_hours(hours));
    let to = UsageHour::of(sim.now() + SignedDuration::from_hours(1));
    let holdings = sim.buyers().holdings.clone();
    for holding in holdings {
        let Some(stack) = sim.stack(holding.stage) else { continue };
        for license in holding.ids() {
            match records(stack, license, (from, to)).await {
                Ok(records) => {
                    let mut tally = sim.tally();
                    for record in &records {
                        add(&mut tally.states, state(&record.state), 1);
                    }
                    sim.watch().check(&records);
                }
                Err(error) => sim.differ(license, format!("records cannot be read: {error}")),
            }
        }
    }
}
