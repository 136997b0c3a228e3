//! Deviations from the expected result.

use domain::ids::LicenseId;

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
