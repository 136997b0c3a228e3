//! The findings of all checks, and the state of each step.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use super::attestation::Attestation;
use super::checks::{CHECKS, Check, Severity};
use super::facts::{Blind, Facts};
use super::judgement::{Verdict, Words};
use super::messages::moment;
use super::steps::{Actor, Outcome, Step, StepState};
use super::word;
use domain::catalog::Life;
use domain::ids::ProductCode;
use domain::listing::{Listing, Stage};
use texts::Texts;

/// The readiness of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its id, which sorts by time.
    pub id: Ulid,
    /// The time of the audit run.
    pub at: Timestamp,
    /// The product.
    pub product: ProductCode,
    /// The product's name.
    pub name: String,
    /// The stage of the stack that made the report.
    pub stage: Stage,
    /// The state of the product in its lifecycle, if it could be read.
    pub life: Option<Life>,
    /// The steps, in order.
    pub steps: Vec<StepFound>,
    /// The checks, in the order of their steps.
    pub checks: Vec<Finding>,
}

/// The state of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReadinessStep)]
pub struct StepFound {
    /// The step's id, such as `test.product_registered`.
    pub step: String,
    /// The state.
    pub state: StepState,
    /// The check to resolve first; null if the step is done.
    pub next: Option<String>,
    /// The earlier step that it waits for; null if it waits for none.
    pub waits_for: Option<String>,
    /// The time since which it is so.
    pub since: Timestamp,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CheckResult)]
pub struct Finding {
    /// The check's id, such as `page.https`. An id never changes.
    pub check: String,
    /// The step that rests on the check.
    pub step: String,
    /// The weight of the check for that step.
    pub severity: Severity,
    /// The party that resolves it.
    pub actor: Actor,
    /// The outcome.
    pub outcome: Outcome,
    /// Something is there and wrong, rather than still to be done.
    pub is_broken: bool,
    /// An attestation of a person would make it pass.
    #[serde(default)]
    #[schema(required)]
    pub takes_word: bool,
    /// The finding as the id of a text and its arguments.
    pub said: Said,
    /// The attestation; null if nobody attested it.
    pub attestation: Option<Attestation>,
    /// The time since which it is so.
    pub since: Timestamp,
}

/// A sentence in every language: the id of a text, and its arguments. An argument that begins with `word-` is the id of
/// a text too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CheckMessage)]
pub struct Said {
    /// The text's id.
    pub text: String,
    /// The arguments.
    pub with: BTreeMap<String, String>,
}

impl Said {
    fn new<'a>(text: impl Into<String>, with: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self { text: text.into(), with: with.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    pub(super) fn of(check: &Check, words: Words) -> Self {
        Self::new(format!("{}.{}", check.message(), words.attribute), words.with)
    }

    fn blind(blind: Blind) -> Self {
        match blind {
            Blind::Forbidden { action } => Self::new("blind.forbidden", [("action", action)]),
            Blind::TimedOut { what } => Self::new("blind.timed-out", [("what", what)]),
            Blind::Unreachable { what, reason } => Self::new("blind.unreachable", [("what", what), ("reason", reason)]),
            Blind::Refused { what, reason } => Self::new("blind.refused", [("what", what), ("reason", reason)]),
            Blind::NotDescribed { field } => Self::new("blind.not-described", [("field", field)]),
        }
    }

    /// Returns the sentence in a language. Times and words in it are also in that language.
    pub fn in_language(&self, texts: &Texts) -> String {
        let told = |value: &String| match value.parse() {
            Ok(at) => moment(at, texts.language),
            Err(_) => word::told(value, texts),
        };
        let with: Vec<(&str, String)> = self.with.iter().map(|(name, value)| (name.as_str(), told(value))).collect();
        texts.fill(&self.text, with.iter().map(|(name, value)| (*name, value.as_str())))
    }
}

/// Judges every check that applies to the listing, and determines the state of each step. `since` continues from the
/// earlier report.
pub fn assess(facts: &Facts<'_>, attestations: &BTreeMap<String, Attestation>, earlier: Option<&Report>) -> Report {
    let listing = facts.listing;
    let checks = CHECKS.iter().filter(|check| check.step.is_in(listing.stage) && check.applies(listing));
    let checks: Vec<Finding> = checks.map(|check| find(check, facts, attestations.get(check.id), earlier)).collect();
    let mut open: Option<&'static str> = None;
    let mut found = Vec::new();
    for step in Step::ALL.into_iter().filter(|step| step.is_in(listing.stage)) {
        let id = step.id(listing.stage);
        let next = first_to_see_to(checks.iter().filter(|finding| finding.step == id));
        let state = match (next, open) {
            (None, _) => StepState::Done,
            // A failure is reported immediately, because the earlier step may only wait for an attestation that has
            // expired.
            (Some(next), _) if next.is_broken => StepState::Failing,
            (Some(_), Some(_)) => StepState::Waiting,
            (Some(_), None) => StepState::Ready,
        };
        let before = earlier.and_then(|earlier| earlier.steps.iter().find(|before| before.step == id));
        found.push(StepFound {
            step: id.to_owned(),
            state,
            next: next.map(|next| next.check.clone()),
            waits_for: open.filter(|_| state == StepState::Waiting).map(str::to_owned),
            since: before.filter(|before| before.state == state).map_or(facts.now, |before| before.since),
        });
        if state != StepState::Done && open.is_none() {
            open = Some(id);
        }
    }
    Report {
        id: Ulid::from_datetime(facts.now.into()),
        at: facts.now,
        product: listing.product_code.clone(),
        name: listing.name.clone(),
        stage: listing.stage,
        life: facts.product.as_ref().ok().and_then(|product| product.as_ref().map(|product| product.life)),
        steps: found,
        checks,
    }
}

/// Returns the check that keeps a step from being done, broken ones first.
fn first_to_see_to<'a>(findings: impl Iterator<Item = &'a Finding> + Clone) -> Option<&'a Finding> {
    let mut open = findings.filter(|finding| finding.severity == Severity::Required && !finding.outcome.holds());
    let first = open.clone().next()?;
    Some(open.find(|finding| finding.is_broken).unwrap_or(first))
}

fn find(check: &Check, facts: &Facts<'_>, attestation: Option<&Attestation>, earlier: Option<&Report>) -> Finding {
    let attestation = attestation.filter(|_| check.is_attestable);
    let verdict = check.judge(facts);
    let takes_word = check.takes_word_beside(&verdict);
    let said_so = attestation.filter(|said| takes_word && said.stands(facts.now));
    let (outcome, is_broken, said) = match (said_so, verdict) {
        (Some(said), _) => (Outcome::Attested, false, Said::new("attested", [("at", said.at.to_string())])),
        (None, Verdict::Pass(words)) => (Outcome::Pass, false, Said::of(check, words)),
        (None, Verdict::Missing(words) | Verdict::NotYet(words)) => (Outcome::Fail, false, Said::of(check, words)),
        (None, Verdict::Fail(words)) => (Outcome::Fail, true, Said::of(check, words)),
        (None, Verdict::Unsure(words)) => (Outcome::Unknown, false, Said::of(check, words)),
        (None, Verdict::Blind(blind)) => (Outcome::Unknown, false, Said::blind(blind)),
        (None, Verdict::OnlyAPersonCanSay) => {
            let said = match attestation {
                Some(old) => Said::new("attested.old", [("at", old.at.to_string())]),
                None => {
                    let Listing { stage, product_code, .. } = facts.listing;
                    let with = [("check", check.id.to_owned()), ("stage", stage.to_string())];
                    Said::new("attested.wanted", with.into_iter().chain([("product", product_code.to_string())]))
                }
            };
            (Outcome::Unknown, false, said)
        }
    };
    let before = earlier.and_then(|earlier| earlier.checks.iter().find(|before| before.check == check.id));
    Finding {
        check: check.id.to_owned(),
        step: check.step.id(facts.listing.stage).to_owned(),
        severity: check.severity,
        actor: check.actor,
        outcome,
        is_broken,
        takes_word,
        said,
        attestation: attestation.cloned(),
        since: before.filter(|before| before.outcome == outcome).map_or(facts.now, |before| before.since),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::testing::{attested, blind, complete, listing, nothing};
    use crate::{ATTESTATION_LIFE, texts};
    use domain::language::Language;

    fn states(report: &Report) -> Vec<(&str, StepState)> {
        report.steps.iter().map(|step| (step.step.as_str(), step.state)).collect()
    }

    fn step<'a>(report: &'a Report, id: &str) -> &'a StepFound {
        report.steps.iter().find(|step| step.step == id).unwrap()
    }

    fn finding<'a>(report: &'a Report, id: &str) -> &'a Finding {
        report.checks.iter().find(|finding| finding.check == id).unwrap()
    }

    #[test]
    fn a_complete_listing_is_ready_in_both_phases() {
        for (stage, steps) in [(Stage::Staging, 7), (Stage::Production, 9)] {
            let mut listing = listing();
            listing.stage = stage;
            let mut facts = complete(&listing);
            facts.product.as_mut().unwrap().as_mut().unwrap().life = Life::Public;
            let report = assess(&facts, &attested(facts.now), None);
            assert!(report.steps.iter().all(|step| step.state == StepState::Done), "{:?}", states(&report));
            assert_eq!(report.steps.len(), steps);
            assert_eq!(report.life, Some(Life::Public));
        }
    }

    #[test]
    fn from_nothing_the_first_step_is_ready_and_all_others_wait_for_it() {
        let listing = listing();
        let report = assess(&nothing(&listing), &BTreeMap::new(), None);
        let (first, others) = report.steps.split_first().unwrap();
        assert_eq!((first.state, first.next.as_deref()), (StepState::Ready, Some("seller.registration")));
        for other in others {
            assert_eq!(other.state, StepState::Waiting, "{other:?}");
            assert_eq!(other.waits_for.as_deref(), Some("seller.registration"));
        }
    }

    #[test]
    fn what_could_not_be_looked_at_never_passes() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.evidence = Err(blind());
        facts.stack.alarms = Err(blind());
        let report = assess(&facts, &attested(facts.now), None);
        for check in ["wiring.alarms", "evidence.token_resolved", "evidence.license_activated"] {
            assert_eq!(finding(&report, check).outcome, Outcome::Unknown, "{check}");
        }
        // It waits for no step, nothing is known to be wrong, and it is not done.
        let prepared = step(&report, "test.product_prepared");
        assert_eq!((prepared.state, prepared.next.as_deref()), (StepState::Ready, Some("wiring.alarms")));
    }

    #[test]
    fn what_broke_makes_its_step_fail_and_the_later_ones_wait_unless_they_are_done() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = Some(3);
        facts.product.as_mut().unwrap().as_mut().unwrap().logo_url.clear();
        let report = assess(&facts, &attested(facts.now), None);
        let prepared = step(&report, "test.product_prepared");
        assert_eq!((prepared.state, prepared.next.as_deref()), (StepState::Failing, Some("wiring.queues_drained")));
        assert_eq!(step(&report, "test.product_registered").state, StepState::Waiting);
        assert_eq!(step(&report, "test.api_integrated").state, StepState::Done);
        // Also after an attestation that has expired.
        let report = assess(&facts, &attested(facts.now - ATTESTATION_LIFE), None);
        assert_eq!(step(&report, "seller.public_profile").state, StepState::Ready);
        assert_eq!(step(&report, "test.product_prepared").state, StepState::Failing);
    }

    #[test]
    fn a_recommended_check_holds_up_nothing() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.stack.point_in_time_recovery = Ok(false);
        let report = assess(&facts, &attested(facts.now), None);
        assert_eq!(finding(&report, "wiring.backups").outcome, Outcome::Fail);
        assert_eq!(step(&report, "test.product_prepared").state, StepState::Done);
    }

    #[test]
    fn a_persons_word_does_where_nothing_says_otherwise_and_for_180_days() {
        let listing = listing();
        let mut facts = complete(&listing);
        let now = facts.now;
        let said = |at: Timestamp| {
            let said = Attestation { by: "arn:aws:iam::444455556666:user/me".to_owned(), at, note: "seen".to_owned() };
            BTreeMap::from([
                ("app.no_payment_data".to_owned(), said.clone()),
                ("app.plan_locked".to_owned(), said.clone()),
                ("wiring.alarms".to_owned(), said),
            ])
        };
        let outcome = |facts: &Facts<'_>, at, check: &str| finding(&assess(facts, &said(at), None), check).outcome;
        assert_eq!(outcome(&facts, now, "app.no_payment_data"), Outcome::Attested);
        assert_eq!(
            outcome(&facts, now - ATTESTATION_LIFE + SignedDuration::from_secs(1), "app.no_payment_data"),
            Outcome::Attested
        );
        assert_eq!(outcome(&facts, now - ATTESTATION_LIFE, "app.no_payment_data"), Outcome::Unknown);
        // A check that passes needs no attestation, and an observed failure stays a failure.
        assert_eq!(outcome(&facts, now, "app.plan_locked"), Outcome::Pass);
        facts.application.plan_change.as_mut().unwrap().status = 200;
        assert_eq!(outcome(&facts, now, "app.plan_locked"), Outcome::Fail);
        facts.application.plan_change = Err(blind());
        assert_eq!(outcome(&facts, now, "app.plan_locked"), Outcome::Attested);
        // A program observes alarms better than an attestation.
        facts.stack.alarms = Err(blind());
        assert_eq!(outcome(&facts, now, "wiring.alarms"), Outcome::Unknown);
    }

    #[test]
    fn a_word_about_a_page_does_where_the_page_was_seen() {
        let listing = listing();
        let mut facts = complete(&listing);
        let may = |facts: &Facts<'_>| {
            let unsaid = assess(facts, &BTreeMap::new(), None);
            let finding = finding(&unsaid, "app.data_policy");
            finding.takes_word
        };
        let outcome =
            |facts: &Facts<'_>| finding(&assess(facts, &attested(facts.now), None), "app.data_policy").outcome;
        assert_eq!((outcome(&facts), may(&facts)), (Outcome::Attested, true));
        facts.application.data_policy.as_mut().unwrap().status = 302;
        assert_eq!((outcome(&facts), may(&facts)), (Outcome::Attested, true));
        facts.application.data_policy.as_mut().unwrap().status = 404;
        assert_eq!((outcome(&facts), may(&facts)), (Outcome::Fail, false));
        facts.application.data_policy = Err(Blind::NotDescribed { field: "urls.data_policy".to_owned() });
        assert_eq!((outcome(&facts), may(&facts)), (Outcome::Fail, false));
        facts.application.data_policy = Err(blind());
        assert_eq!((outcome(&facts), may(&facts)), (Outcome::Unknown, false));
        // Other pages are behind a sign-in, and an attestation counts for them.
        facts.application.plan = Err(blind());
        let report = assess(&facts, &attested(facts.now), None);
        assert_eq!(finding(&report, "app.plan_visible").outcome, Outcome::Attested);
    }

    #[test]
    fn since_goes_on_while_nothing_changes() {
        let listing = listing();
        let mut facts = complete(&listing);
        let first = assess(&facts, &attested(facts.now), None);
        let began = facts.now;
        facts.now = began + SignedDuration::from_hours(1);
        facts.product.as_mut().unwrap().as_mut().unwrap().logo_url.clear();
        let second = assess(&facts, &attested(began), Some(&first));
        assert_eq!(finding(&second, "listing.logo").since, facts.now);
        assert_eq!(finding(&second, "listing.eula").since, began);
        assert_eq!(step(&second, "test.product_registered").since, facts.now);
        assert_eq!(step(&second, "test.product_prepared").since, began);
        facts.now = began + SignedDuration::from_hours(2);
        let third = assess(&facts, &attested(began), Some(&second));
        assert_eq!(finding(&third, "listing.logo").since, began + SignedDuration::from_hours(1));
    }

    #[test]
    fn only_what_means_something_for_the_listing_is_judged() {
        let listing = listing();
        let facts = complete(&listing);
        let report = assess(&facts, &BTreeMap::new(), None);
        let has = |id: &str| report.checks.iter().any(|finding| finding.check == id);
        assert!(has("wiring.eventbridge_rule") && !has("wiring.sns_subscription"));
        assert!(has("evidence.entitlement_read") && has("evidence.usage_accepted"));
        assert!(!has("production.published"));
        let mut contract = listing.clone();
        contract.dimensions.retain(|dimension| !dimension.is_metered());
        contract.mode = domain::listing::Mode::Customer;
        let report = assess(&complete(&contract), &BTreeMap::new(), None);
        let has = |id: &str| report.checks.iter().any(|finding| finding.check == id);
        assert!(has("wiring.sns_subscription") && !has("wiring.eventbridge_rule") && !has("evidence.usage_accepted"));
        // Every license ends at some time, and every agreement can change.
        assert!(has("evidence.ending_flushed") && has("evidence.agreement_changed"));
    }

    #[test]
    fn moments_in_a_sentence_are_told_as_people_do() {
        let said = Said::new("attested", [("at", "2026-11-23T12:00:00.123Z".to_owned())]);
        assert_eq!(said.in_language(texts(Language::English)), "Attested on 23 November 2026, 12:00 UTC.");
        assert_eq!(said.in_language(texts(Language::Japanese)), "2026年11月23日 12:00 (UTC) に申告されました。");
    }

    #[test]
    fn a_report_is_stored_and_read_again() {
        let listing = listing();
        let facts = complete(&listing);
        let report = assess(&facts, &attested(facts.now), None);
        let stored = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&stored).unwrap(), report);
    }
}
