//! Judges a simulation at its end: by the answers that the application received, the bookings in AWS, and the records;
//! never by the product's internal steps.

pub mod access;
mod events;
pub mod held;
mod money;

use domain::ids::LicenseId;

use crate::simulation::Simulation;

/// A deviation from the expected result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The license, if the difference is about one.
    pub license: Option<String>,
    /// The description.
    pub what: String,
}

impl Difference {
    /// Returns a difference about a license.
    pub fn about(license: &LicenseId, what: String) -> Self {
        Self { license: Some(license.to_string()), what }
    }

    /// Returns a difference about the whole simulation.
    pub fn of_simulation(what: String) -> Self {
        Self { license: None, what }
    }
}

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
