//! What a check finds.

use super::facts::{Blind, Look};

/// What a check finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it must be.
    Pass(Words),
    /// Not there yet.
    Missing(Words),
    /// Seen, and wrong.
    Fail(Words),
    /// Seen, and not yet as it must be in the end: no fault, but nobody's word outweighs it.
    NotYet(Words),
    /// Seen, and not enough to tell.
    Unsure(Words),
    /// It could not be looked at.
    Blind(Blind),
    /// Nothing can be looked at: only a person can say.
    OnlyAPersonCanSay,
}

/// What there is to say about a verdict: which of the check's texts, and what it is filled in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// The attribute of the check's message.
    pub(super) attribute: &'static str,
    /// What the text names.
    pub(super) with: Vec<(&'static str, String)>,
}

impl Words {
    fn new<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Self {
        Self { attribute, with: with.into() }
    }
}

/// As it must be.
pub(super) fn pass<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Pass(Words::new(attribute, with))
}

/// Not there yet.
pub(super) fn missing<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Missing(Words::new(attribute, with))
}

/// Seen, and wrong.
pub(super) fn fail<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Fail(Words::new(attribute, with))
}

/// Seen, and not yet as it must be in the end.
pub(super) fn not_yet<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::NotYet(Words::new(attribute, with))
}

/// Seen, and not enough to tell.
pub(super) fn unsure<const N: usize>(attribute: &'static str, with: [(&'static str, String); N]) -> Verdict {
    Verdict::Unsure(Words::new(attribute, with))
}

/// Judges what was seen, if it was.
pub(super) fn of<T>(look: &Look<T>, judge: impl FnOnce(&T) -> Verdict) -> Verdict {
    match look {
        Ok(seen) => judge(seen),
        Err(blind) => Verdict::Blind(blind.clone()),
    }
}

/// Names in a sentence.
pub(super) fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
