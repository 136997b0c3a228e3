//! The results of the checks.

use serde::Serialize;

/// The result of one check.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) check: &'static str,
    pub(super) result: Verdict,
    pub(super) message: String,
    /// The advice on how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remediation: Option<String>,
    /// The permission that the check needs.
    #[serde(skip)]
    pub(super) needs: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Ok,
    NotOk,
    CouldNotCheck,
}

impl Line {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, result: Verdict::Ok, message: message.into(), remediation: None, needs: None }
    }

    pub(super) fn not_ok(check: &'static str, message: impl Into<String>, remediation: impl Into<String>) -> Self {
        Self { result: Verdict::NotOk, remediation: Some(remediation.into()), ..Self::ok(check, message) }
    }

    pub(super) fn could_not_check(check: &'static str, reason: impl Into<String>) -> Self {
        Self { result: Verdict::CouldNotCheck, ..Self::ok(check, reason) }
    }

    pub(super) fn needing(self, permission: &'static str) -> Self {
        Self { needs: Some(permission), ..self }
    }
}

impl Verdict {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotOk => "not ok",
            Self::CouldNotCheck => "could not check",
        }
    }
}
