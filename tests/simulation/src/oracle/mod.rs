//! Judges a simulation at its end: by the answers that the application received, the bookings in AWS, and the records;
//! never by the product's internal steps.

pub mod access;
mod events;
pub mod held;
mod money;

use crate::difference::Difference;
use crate::simulation::Simulation;

/// Judges money, access and the application's events.
pub async fn judge(sim: &Simulation) -> Vec<Difference> {
    let mut differences: Vec<Difference> =
        sim.network.observations().violations.into_iter().map(Difference::of_simulation).collect();
    differences.extend(money::judge(sim).await);
    differences.extend(events::judge(sim).await);
    differences.extend(std::mem::take(&mut sim.watch().differences));
    let answers = std::mem::take(&mut sim.application().differences);
    differences.extend(answers.into_iter().map(|(license, what)| Difference::about(&license, what)));
    differences
}
