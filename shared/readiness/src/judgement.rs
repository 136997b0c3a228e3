//! The verdicts of checks.

use super::facts::{Blind, Look};

/// The verdict of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The fact is as it must be.
    Pass(Words),
    /// The fact does not exist yet.
    Missing(Words),
    /// The fact is wrong.
    Fail(Words),
    /// The fact is not yet as it must be in the end. That is no fault, but no attestation outweighs it.
    NotYet(Words),
    /// The facts are not sufficient for a verdict.
    Unsure(Words),
    /// The fact could not be observed.
    Blind(Blind),
    /// No program can observe it: only an attestation counts.
    OnlyAPersonCanSay,
}

/// The wording of a verdict: one of the check's texts, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// The attribute of the check's message.
    pub(super) attribute: &'static str,
    /// The arguments of the text.
    pub(super) with: Vec<(&'static str, String)>,
}

impl Words {
    fn new<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Self {
        Self { attribute, with: with.into() }
    }
}

/// Creates the verdict of a fact that is as it must be.
pub(super) fn pass<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Pass(Words::new(attribute, with))
}

/// Creates the verdict of a fact that does not exist yet.
pub(super) fn missing<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Missing(Words::new(attribute, with))
}

/// Creates the verdict of a fact that is wrong.
pub(super) fn fail<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Fail(Words::new(attribute, with))
}

/// Creates the verdict of a fact that is not yet as it must be in the end.
pub(super) fn not_yet<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::NotYet(Words::new(attribute, with))
}

/// Creates the verdict of facts that are not sufficient.
pub(super) fn unsure<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Unsure(Words::new(attribute, with))
}

/// Judges a fact, if it was observed.
pub(super) fn of<T>(look: &Look<T>, judge: impl FnOnce(&T) -> Verdict) -> Verdict {
    match look {
        Ok(seen) => judge(seen),
        Err(blind) => Verdict::Blind(blind.clone()),
    }
}

/// Joins names for a sentence.
pub(super) fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
