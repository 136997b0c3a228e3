//! The progress of a report: the steps that are done, the next step, and the changes.

use super::report::{Finding, Report, StepStatus};
use super::steps::{Actor, Outcome, Step, StepState};
use domain::catalog::Visibility;

/// The sign of a finding, shown as a word and as a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The fact is as it must be.
    Passes,
    /// It is attested.
    Attested,
    /// Still to be done.
    ToDo,
    /// Something exists and is wrong.
    Fails,
    /// The facts could not be observed, or are not sufficient.
    Unknown,
}

impl Sign {
    /// All signs; those that need action come first.
    pub const ALL: [Self; 5] = [Self::Fails, Self::ToDo, Self::Unknown, Self::Attested, Self::Passes];

    /// Returns the name that style sheets use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Attested => "attested",
            Self::ToDo => "to-do",
            Self::Fails => "fails",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the id of its text; `.meaning` explains it.
    pub fn message(self) -> &'static str {
        match self {
            Self::Passes => "report-sign-passes",
            Self::Attested => "report-sign-attested",
            Self::ToDo => "report-sign-to-do",
            Self::Fails => "report-sign-fails",
            Self::Unknown => "report-sign-unknown",
        }
    }
}

impl Finding {
    /// Returns its sign.
    pub fn sign(&self) -> Sign {
        match self.outcome {
            Outcome::Pass => Sign::Passes,
            Outcome::Attested => Sign::Attested,
            Outcome::Fail if self.is_defect => Sign::Fails,
            Outcome::Fail => Sign::ToDo,
            Outcome::Unknown => Sign::Unknown,
        }
    }

    /// Returns the id of its check's texts, also if the check no longer exists.
    pub fn message(&self) -> String {
        self.check.replace(['.', '_'], "-")
    }
}

impl StepState {
    /// Returns the name under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Ready => "ready",
            Self::Failing => "failing",
            Self::Waiting => "waiting",
        }
    }

    /// Returns the id of its text.
    pub fn message(self) -> &'static str {
        match self {
            Self::Done => "report-state-done",
            Self::Ready => "report-state-ready",
            Self::Failing => "report-state-failing",
            Self::Waiting => "report-state-waiting",
        }
    }
}

impl Actor {
    /// All actors.
    pub const ALL: [Self; 4] = [Self::Seller, Self::Operator, Self::Developer, Self::Aws];

    /// Returns the id of its text; `.what` describes what the actor does.
    pub fn message(self) -> &'static str {
        match self {
            Self::Seller => "report-actor-seller",
            Self::Operator => "report-actor-operator",
            Self::Developer => "report-actor-developer",
            Self::Aws => "report-actor-aws",
        }
    }
}

/// Returns the id of the text of a product's visibility.
pub fn visibility_message(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Draft => "report-visibility-draft",
        Visibility::Limited => "report-visibility-limited",
        Visibility::Public => "report-visibility-public",
        Visibility::Restricted => "report-visibility-restricted",
        Visibility::Unknown => "report-visibility-unknown",
    }
}

impl Report {
    /// Returns the number of steps that are done.
    pub fn steps_done(&self) -> usize {
        self.steps.iter().filter(|step| step.state == StepState::Done).count()
    }

    /// Returns `true` if all steps are done.
    pub fn is_done(&self) -> bool {
        self.steps_done() == self.steps.len()
    }

    /// Returns the step that needs attention: the first that fails, or else the first that is ready; `None` if all are
    /// done.
    pub fn next_step(&self) -> Option<&StepStatus> {
        let first = |state| self.steps.iter().find(|step| step.state == state);
        first(StepState::Failing).or_else(|| first(StepState::Ready))
    }

    /// Returns the actor of a step: the one of the check to resolve first.
    pub fn actor_of(&self, step: &StepStatus) -> Option<Actor> {
        let next = step.next_check.as_deref()?;
        self.checks.iter().find(|finding| finding.check == next).map(|finding| finding.actor)
    }

    /// Returns the id of the label before the step that needs attention.
    pub fn next_label(&self, step: &StepStatus) -> &'static str {
        match (step.state, self.actor_of(step)) {
            (StepState::Failing, _) => "report-next-failing",
            (_, Some(Actor::Aws)) => "report-next-aws",
            _ => "report-next",
        }
    }

    /// Returns the checks that a step depends on.
    pub fn checks_of(&self, step: &StepStatus) -> impl Iterator<Item = &Finding> {
        self.checks.iter().filter(move |finding| finding.step == step.step)
    }

    /// Returns the id of a step's texts.
    pub fn message_of(&self, step: &str) -> &'static str {
        let known = Step::ALL.into_iter().find(|known| known.id(self.stage) == step);
        known.map_or("report-step-unknown", |known| known.message())
    }
}

/// A check whose sign differs from before.
#[derive(Debug, Clone, Copy)]
pub struct SignChange<'a> {
    /// The earlier finding.
    pub before: &'a Finding,
    /// The later finding.
    pub after: &'a Finding,
}

/// Returns the checks whose sign changed from a report to a later one, in the order of the steps.
pub fn sign_changes<'a>(earlier: &'a Report, later: &'a Report) -> Vec<SignChange<'a>> {
    let before = |after: &Finding| earlier.checks.iter().find(|before| before.check == after.check);
    let both = later.checks.iter().filter_map(|after| Some(SignChange { before: before(after)?, after }));
    both.filter(|SignChange { before, after }| before.sign() != after.sign()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::assess;
    use crate::testing::{attested, complete, listing, nothing};

    #[test]
    fn a_failing_step_comes_before_the_first_ready_one() {
        let listing = listing();
        let mut facts = complete(&listing);
        let report = assess(&facts, &attested(facts.now), None);
        assert!(report.is_done() && report.next_step().is_none());
        facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = Some(3);
        // The seller's registration is not attested, but AWS answers; the profile is not attested either.
        let report = assess(&facts, &BTreeMap::new(), None);
        let step = report.next_step().unwrap();
        assert_eq!((step.step.as_str(), report.actor_of(step)), ("test.product_prepared", Some(Actor::Operator)));
        let report = assess(&nothing(&listing), &BTreeMap::new(), None);
        let step = report.next_step().unwrap();
        assert_eq!((step.step.as_str(), report.actor_of(step)), ("seller.registration", Some(Actor::Seller)));
        assert_eq!(report.steps_done(), 0);
    }

    #[test]
    fn a_check_changed_if_its_sign_differs() {
        let listing = listing();
        let mut facts = complete(&listing);
        let first = assess(&facts, &attested(facts.now), None);
        assert!(sign_changes(&first, &first).is_empty());
        facts.product.as_mut().unwrap().as_mut().unwrap().logo_url.clear();
        let second = assess(&facts, &attested(facts.now), Some(&first));
        let changes = sign_changes(&first, &second);
        let signs: Vec<_> =
            changes.iter().map(|it| (it.after.check.as_str(), it.before.sign(), it.after.sign())).collect();
        assert_eq!(signs.first(), Some(&("listing.logo", Sign::Passes, second_sign(&second))));
        assert_eq!(signs.len(), 1);
    }

    fn second_sign(report: &Report) -> Sign {
        report.checks.iter().find(|finding| finding.check == "listing.logo").unwrap().sign()
    }

    #[test]
    fn every_sign_state_and_actor_has_its_texts() {
        use crate::texts;
        use domain::language::Language;
        let states = [StepState::Done, StepState::Ready, StepState::Failing, StepState::Waiting];
        let mut ids: Vec<String> = states.map(|state| state.message().to_owned()).into();
        ids.extend(Sign::ALL.iter().flat_map(|sign| ["", ".meaning"].map(|part| format!("{}{part}", sign.message()))));
        ids.extend(Actor::ALL.iter().flat_map(|actor| ["", ".what"].map(|part| format!("{}{part}", actor.message()))));
        for &language in Language::ALL {
            for id in &ids {
                assert_ne!(&texts(language).say(id), id, "{language:?}");
            }
        }
    }
}
