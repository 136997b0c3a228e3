//! What the auditor says, and what of it turned.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use stallkeeper::readiness::{Outcome, Report};

use crate::World;

/// What checks came to, by their ids.
pub type Outcomes = BTreeMap<String, Outcome>;

impl World {
    /// Has the auditor look at a product, now.
    pub async fn audit(&self, product: &str) -> Report {
        let (status, report) = self.api(Method::POST, "/v1/readiness/runs", Some(json!({ "product": product }))).await;
        assert_eq!(status, 201, "{report}");
        serde_json::from_value(report).unwrap()
    }

    /// What the checks of a product come to, now.
    pub async fn outcomes(&self, product: &str) -> Outcomes {
        outcomes(&self.audit(product).await)
    }
}

/// What the checks of a report came to.
#[must_use]
pub fn outcomes(report: &Report) -> Outcomes {
    report.checks.iter().map(|finding| (finding.check.clone(), finding.outcome)).collect()
}

/// The checks that came to something else, and to what.
#[must_use]
pub fn turned(before: &Outcomes, after: &Outcomes) -> Outcomes {
    assert!(before.keys().eq(after.keys()));
    after.iter().filter(|(check, now)| before[*check] != **now).map(|(check, now)| (check.clone(), *now)).collect()
}

/// Checks, separated by spaces, that all came to one thing.
#[must_use]
pub fn each(checks: &str, outcome: Outcome) -> Outcomes {
    checks.split_whitespace().map(|check| (check.to_owned(), outcome)).collect()
}
