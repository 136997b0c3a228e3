//! Audit runs of the readiness auditor, and comparisons of their outcomes.

use std::collections::BTreeMap;

use readiness_checks::{Outcome, Report};
use reqwest::Method;
use serde_json::json;

use crate::TestEnvironment;

/// The outcomes of checks, by check id.
pub type Outcomes = BTreeMap<String, Outcome>;

impl TestEnvironment {
    /// Runs the auditor on a product and returns its report.
    pub async fn audit(&self, product: &str) -> Report {
        let (status, report) = self.api(Method::POST, "/v1/readiness/runs", Some(json!({ "product": product }))).await;
        assert_eq!(status, 201, "{report}");
        serde_json::from_value(report).unwrap()
    }

    /// Runs the auditor on a product and returns the outcomes of its checks.
    pub async fn outcomes(&self, product: &str) -> Outcomes {
        outcomes(&self.audit(product).await)
    }
}

/// Returns the outcomes of the checks of a report.
#[must_use]
pub fn outcomes(report: &Report) -> Outcomes {
    report.checks.iter().map(|finding| (finding.check.clone(), finding.outcome)).collect()
}

/// Returns the checks whose outcome changed, with the new outcome.
#[must_use]
pub fn changed_outcomes(before: &Outcomes, after: &Outcomes) -> Outcomes {
    assert!(before.keys().eq(after.keys()));
    after.iter().filter(|(check, now)| before[*check] != **now).map(|(check, now)| (check.clone(), *now)).collect()
}

/// Returns the same outcome for each of several checks, whose ids are separated by spaces.
#[must_use]
pub fn each(checks: &str, outcome: Outcome) -> Outcomes {
    checks.split_whitespace().map(|check| (check.to_owned(), outcome)).collect()
}
