//! The verdicts of checks.

use super::facts::{Observation, Unobserved};

/// The verdict of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The fact is as it must be.
    Pass(Detail),
    /// The fact does not exist yet.
    Missing(Detail),
    /// The fact is wrong.
    Fail(Detail),
    /// The fact is not yet as it must be in the end. That is no fault, but no attestation outweighs it.
    NotYet(Detail),
    /// The facts are not sufficient for a verdict.
    Unsure(Detail),
    /// The fact could not be observed.
    Unobserved(Unobserved),
    /// No program can observe it: only an attestation counts.
    AttestationOnly,
}

/// The details of a verdict: one of the check's texts, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    /// The attribute of the check's message.
    pub(super) attribute: &'static str,
    /// The arguments of the text.
    pub(super) arguments: Vec<(&'static str, String)>,
}

impl Detail {
    fn new<const N: usize>(attribute: &'static str, arguments: [(&'static str, String); N]) -> Self {
        Self { attribute, arguments: arguments.into() }
    }
}

/// Creates the verdict of a fact that is as it must be.
pub(super) fn pass<const N: usize>(attribute: &'static str, arguments: [(&'static str, String); N]) -> Verdict {
    Verdict::Pass(Detail::new(attribute, arguments))
}

/// Creates the verdict of a fact that does not exist yet.
pub(super) fn missing<const N: usize>(attribute: &'static str, arguments: [(&'static str, String); N]) -> Verdict {
    Verdict::Missing(Detail::new(attribute, arguments))
}

/// Creates the verdict of a fact that is wrong.
pub(super) fn fail<const N: usize>(attribute: &'static str, arguments: [(&'static str, String); N]) -> Verdict {
    Verdict::Fail(Detail::new(attribute, arguments))
}

/// Creates the verdict of a fact that is not yet as it must be in the end.
pub(super) fn not_yet<const N: usize>(attribute: &'static str, arguments: [(&'static str, String); N]) -> Verdict {
    Verdict::NotYet(Detail::new(attribute, arguments))
}

/// Creates the verdict of facts that are not sufficient.
pub(super) fn unsure<const N: usize>(attribute: &'static str, arguments: [(&'static str, String); N]) -> Verdict {
    Verdict::Unsure(Detail::new(attribute, arguments))
}

/// Judges a fact, if it was observed.
pub(super) fn if_observed<T>(observation: &Observation<T>, judge: impl FnOnce(&T) -> Verdict) -> Verdict {
    match observation {
        Ok(fact) => judge(fact),
        Err(unobserved) => Verdict::Unobserved(unobserved.clone()),
    }
}

/// Joins names for a sentence.
pub(super) fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
