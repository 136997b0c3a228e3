//! Judges a world that has come to its end: by what the application was told, what AWS has booked, and what the
//! records say; never by how the product comes to it.

pub mod access;
mod events;
pub mod held;
mod money;

use stallkeeper::ids::LicenseId;

use crate::world::World;

/// What is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The license that it is about, if it is about one.
    pub license: Option<String>,
    /// What it is.
    pub what: String,
}

impl Difference {
    /// One about a license.
    pub fn about(license: &LicenseId, what: String) -> Self {
        Self { license: Some(license.to_string()), what }
    }

    /// One about the whole world.
    pub fn of_world(what: String) -> Self {
        Self { license: None, what }
    }
}

/// Judges money, access and the application's events.
pub async fn judge(world: &World) -> Vec<Difference> {
    let mut differences: Vec<Difference> = world.network.seen().broken.into_iter().map(Difference::of_world).collect();
    differences.extend(money::judge(world).await);
    differences.extend(events::judge(world).await);
    differences.extend(std::mem::take(&mut world.watch().differences));
    let answers = std::mem::take(&mut world.application().differences);
    differences.extend(answers.into_iter().map(|(license, what)| Difference::about(&license, what)));
    differences
}
