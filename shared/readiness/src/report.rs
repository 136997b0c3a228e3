//! The findings of all checks, and the state of each step.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use super::attestation::Attestation;
use super::checks::{CHECKS, Check, Severity};
use super::facts::{Facts, Unobserved};
use super::judgement::{Detail, Verdict};
use super::messages::moment;
use super::steps::{Actor, Outcome, Step, StepState};
use super::terms;
use domain::catalog::Visibility;
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
    pub visibility: Option<Visibility>,
    /// The steps, in order.
    pub steps: Vec<StepStatus>,
    /// The checks, in the order of their steps.
    pub checks: Vec<Finding>,
}

/// The state of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReadinessStep)]
pub struct StepStatus {
    /// The step's id, such as `test.product_registered`.
    pub step: String,
    /// The state.
    pub state: StepState,
    /// The check to resolve first; null if the step is done.
    pub next_check: Option<String>,
    /// The earlier step that it waits for; null if it waits for none.
    pub waits_for: Option<String>,
    /// The time since which it has been in this state.
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
    /// The check fails because something exists and is wrong, rather than because it is still to be done.
    pub is_defect: bool,
    /// An attestation would make it pass.
    #[serde(default)]
    #[schema(required)]
    pub is_attestable: bool,
    /// The finding, as the id of a text and its arguments.
    pub message: Message,
    /// The attestation; null if the check is not attested.
    pub attestation: Option<Attestation>,
    /// The time since which it has had this outcome.
    pub since: Timestamp,
}

/// A sentence that is independent of the language: the id of a text, and its arguments. An argument that starts with
/// `term-` is the id of a text, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CheckMessage)]
pub struct Message {
    /// The id of the text.
    pub id: String,
    /// The arguments of the text.
    pub arguments: BTreeMap<String, String>,
}

impl Message {
    fn new<'a>(id: impl Into<String>, arguments: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let arguments = arguments.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { id: id.into(), arguments: arguments.collect() }
    }

    pub(super) fn of(check: &Check, detail: Detail) -> Self {
        Self::new(format!("{}.{}", check.message(), detail.attribute), detail.arguments)
    }

    fn unobserved(unobserved: Unobserved) -> Self {
        match unobserved {
            Unobserved::Forbidden { action } => Self::new("unobserved.forbidden", [("action", action)]),
            Unobserved::TimedOut { source } => Self::new("unobserved.timed-out", [("source", source)]),
            Unobserved::Unreachable { source, reason } => {
                Self::new("unobserved.unreachable", [("source", source), ("reason", reason)])
            }
            Unobserved::Refused { source, reason } => {
                Self::new("unobserved.refused", [("source", source), ("reason", reason)])
            }
            Unobserved::NotDescribed { field } => Self::new("unobserved.not-described", [("field", field)]),
        }
    }

    /// Returns the sentence in a language. Times and terms in it are also in that language.
    pub fn in_language(&self, texts: &Texts) -> String {
        let localized = |value: &String| match value.parse() {
            Ok(at) => moment(at, texts.language),
            Err(_) => terms::localized(value, texts),
        };
        let arguments: Vec<(&str, String)> =
            self.arguments.iter().map(|(name, value)| (name.as_str(), localized(value))).collect();
        texts.fill(&self.id, arguments.iter().map(|(name, value)| (*name, value.as_str())))
    }
}

/// Judges every check that applies to the listing, and determines the state of each step. `since` continues from the
/// earlier report.
pub fn assess(facts: &Facts<'_>, attestations: &BTreeMap<String, Attestation>, earlier: Option<&Report>) -> Report {
    let listing = facts.listing;
    let checks = CHECKS.iter().filter(|check| check.step.is_in(listing.stage) && check.applies(listing));
    let checks: Vec<Finding> = checks.map(|check| finding(check, facts, attestations.get(check.id), earlier)).collect();
    let mut open: Option<&'static str> = None;
    let mut steps = Vec::new();
    for step in Step::ALL.into_iter().filter(|step| step.is_in(listing.stage)) {
        let id = step.id(listing.stage);
        let next = first_open_check(checks.iter().filter(|finding| finding.step == id));
        let state = match (next, open) {
            (None, _) => StepState::Done,
            // A failure is reported immediately, because the earlier step may only wait for an attestation that has
            // expired.
            (Some(next), _) if next.is_defect => StepState::Failing,
            (Some(_), Some(_)) => StepState::Waiting,
            (Some(_), None) => StepState::Ready,
        };
        let before = earlier.and_then(|earlier| earlier.steps.iter().find(|before| before.step == id));
        steps.push(StepStatus {
            step: id.to_owned(),
            state,
            next_check: next.map(|next| next.check.clone()),
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
        visibility: facts.product.as_ref().ok().and_then(|product| product.as_ref().map(|product| product.visibility)),
        steps,
        checks,
    }
}

/// Returns the check that keeps a step from being done; one with a defect comes first.
fn first_open_check<'a>(findings: impl Iterator<Item = &'a Finding> + Clone) -> Option<&'a Finding> {
    let mut open = findings.filter(|finding| finding.severity == Severity::Required && !finding.outcome.holds());
    let first = open.clone().next()?;
    Some(open.find(|finding| finding.is_defect).unwrap_or(first))
}

fn finding(check: &Check, facts: &Facts<'_>, attestation: Option<&Attestation>, earlier: Option<&Report>) -> Finding {
    let attestation = attestation.filter(|_| check.is_attestable);
    let verdict = check.judge(facts);
    let is_attestable = check.accepts_attestation_beside(&verdict);
    let valid = attestation.filter(|attestation| is_attestable && attestation.is_valid(facts.now));
    let (outcome, is_defect, message) = match (valid, verdict) {
        (Some(attestation), _) => {
            (Outcome::Attested, false, Message::new("attested", [("at", attestation.at.to_string())]))
        }
        (None, Verdict::Pass(detail)) => (Outcome::Pass, false, Message::of(check, detail)),
        (None, Verdict::Missing(detail) | Verdict::NotYet(detail)) => {
            (Outcome::Fail, false, Message::of(check, detail))
        }
        (None, Verdict::Fail(detail)) => (Outcome::Fail, true, Message::of(check, detail)),
        (None, Verdict::Unsure(detail)) => (Outcome::Unknown, false, Message::of(check, detail)),
        (None, Verdict::Unobserved(unobserved)) => (Outcome::Unknown, false, Message::unobserved(unobserved)),
        (None, Verdict::AttestationOnly) => {
            let message = match attestation {
                Some(expired) => Message::new("attested.expired", [("at", expired.at.to_string())]),
                None => {
                    let Listing { stage, product_code, .. } = facts.listing;
                    let options = [("check", check.id.to_owned()), ("stage", stage.to_string())];
                    Message::new(
                        "attested.required",
                        options.into_iter().chain([("product", product_code.to_string())]),
                    )
                }
            };
            (Outcome::Unknown, false, message)
        }
    };
    let before = earlier.and_then(|earlier| earlier.checks.iter().find(|before| before.check == check.id));
    Finding {
        check: check.id.to_owned(),
        step: check.step.id(facts.listing.stage).to_owned(),
        severity: check.severity,
        actor: check.actor,
        outcome,
        is_defect,
        is_attestable,
        message,
        attestation: attestation.cloned(),
        since: before.filter(|before| before.outcome == outcome).map_or(facts.now, |before| before.since),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::testing::{attested, complete, listing, nothing, unobserved};
    use crate::{ATTESTATION_LIFE, texts};
    use domain::language::Language;

    fn states(report: &Report) -> Vec<(&str, StepState)> {
        report.steps.iter().map(|step| (step.step.as_str(), step.state)).collect()
    }

    fn step<'a>(report: &'a Report, id: &str) -> &'a StepStatus {
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
            facts.product.as_mut().unwrap().as_mut().unwrap().visibility = Visibility::Public;
            let report = assess(&facts, &attested(facts.now), None);
            assert!(report.steps.iter().all(|step| step.state == StepState::Done), "{:?}", states(&report));
            assert_eq!(report.steps.len(), steps);
            assert_eq!(report.visibility, Some(Visibility::Public));
        }
    }

    #[test]
    fn from_nothing_the_first_step_is_ready_and_all_others_wait_for_it() {
        let listing = listing();
        let report = assess(&nothing(&listing), &BTreeMap::new(), None);
        let (first, others) = report.steps.split_first().unwrap();
        assert_eq!((first.state, first.next_check.as_deref()), (StepState::Ready, Some("seller.registration")));
        for other in others {
            assert_eq!(other.state, StepState::Waiting, "{other:?}");
            assert_eq!(other.waits_for.as_deref(), Some("seller.registration"));
        }
    }

    #[test]
    fn a_check_whose_facts_are_unobserved_never_passes() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.evidence = Err(unobserved());
        facts.stack.alarms = Err(unobserved());
        let report = assess(&facts, &attested(facts.now), None);
        for check in ["wiring.alarms", "evidence.token_resolved", "evidence.license_activated"] {
            assert_eq!(finding(&report, check).outcome, Outcome::Unknown, "{check}");
        }
        // It waits for no step, nothing is known to be wrong, and it is not done.
        let prepared = step(&report, "test.product_prepared");
        assert_eq!((prepared.state, prepared.next_check.as_deref()), (StepState::Ready, Some("wiring.alarms")));
    }

    #[test]
    fn a_defect_makes_its_step_fail_and_later_steps_wait_unless_they_are_done() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = Some(3);
        facts.product.as_mut().unwrap().as_mut().unwrap().logo_url.clear();
        let report = assess(&facts, &attested(facts.now), None);
        let prepared = step(&report, "test.product_prepared");
        assert_eq!(
            (prepared.state, prepared.next_check.as_deref()),
            (StepState::Failing, Some("wiring.queues_drained"))
        );
        assert_eq!(step(&report, "test.product_registered").state, StepState::Waiting);
        assert_eq!(step(&report, "test.api_integrated").state, StepState::Done);
        // Also after an attestation that has expired.
        let report = assess(&facts, &attested(facts.now - ATTESTATION_LIFE), None);
        assert_eq!(step(&report, "seller.public_profile").state, StepState::Ready);
        assert_eq!(step(&report, "test.product_prepared").state, StepState::Failing);
    }

    #[test]
    fn a_recommended_check_delays_no_step() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.stack.point_in_time_recovery = Ok(false);
        let report = assess(&facts, &attested(facts.now), None);
        assert_eq!(finding(&report, "wiring.backups").outcome, Outcome::Fail);
        assert_eq!(step(&report, "test.product_prepared").state, StepState::Done);
    }

    #[test]
    fn an_attestation_counts_for_180_days_unless_an_observation_contradicts_it() {
        let listing = listing();
        let mut facts = complete(&listing);
        let now = facts.now;
        let attested = |at: Timestamp| {
            let by = "arn:aws:iam::444455556666:user/me".to_owned();
            let attestation = Attestation { by, at, note: "checked".to_owned() };
            BTreeMap::from([
                ("app.no_payment_data".to_owned(), attestation.clone()),
                ("app.plan_locked".to_owned(), attestation.clone()),
                ("wiring.alarms".to_owned(), attestation),
            ])
        };
        let outcome = |facts: &Facts<'_>, at, check: &str| finding(&assess(facts, &attested(at), None), check).outcome;
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
        facts.application.plan_change = Err(unobserved());
        assert_eq!(outcome(&facts, now, "app.plan_locked"), Outcome::Attested);
        // A program observes alarms better than an attestation.
        facts.stack.alarms = Err(unobserved());
        assert_eq!(outcome(&facts, now, "wiring.alarms"), Outcome::Unknown);
    }

    #[test]
    fn an_attestation_about_a_page_counts_only_if_the_page_was_observed() {
        let listing = listing();
        let mut facts = complete(&listing);
        let is_attestable = |facts: &Facts<'_>| {
            let report = assess(facts, &BTreeMap::new(), None);
            let finding = finding(&report, "app.data_policy");
            finding.is_attestable
        };
        let outcome =
            |facts: &Facts<'_>| finding(&assess(facts, &attested(facts.now), None), "app.data_policy").outcome;
        assert_eq!((outcome(&facts), is_attestable(&facts)), (Outcome::Attested, true));
        facts.application.data_policy.as_mut().unwrap().status = 302;
        assert_eq!((outcome(&facts), is_attestable(&facts)), (Outcome::Attested, true));
        facts.application.data_policy.as_mut().unwrap().status = 404;
        assert_eq!((outcome(&facts), is_attestable(&facts)), (Outcome::Fail, false));
        facts.application.data_policy = Err(Unobserved::NotDescribed { field: "urls.data_policy".to_owned() });
        assert_eq!((outcome(&facts), is_attestable(&facts)), (Outcome::Fail, false));
        facts.application.data_policy = Err(unobserved());
        assert_eq!((outcome(&facts), is_attestable(&facts)), (Outcome::Unknown, false));
        // Other pages are behind a sign-in, and an attestation counts for them.
        facts.application.plan = Err(unobserved());
        let report = assess(&facts, &attested(facts.now), None);
        assert_eq!(finding(&report, "app.plan_visible").outcome, Outcome::Attested);
    }

    #[test]
    fn since_stays_while_nothing_changes() {
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
    fn only_checks_that_apply_to_the_listing_are_judged() {
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
    fn times_in_a_message_are_formatted_in_its_language() {
        let message = Message::new("attested", [("at", "2026-11-23T12:00:00.123Z".to_owned())]);
        assert_eq!(message.in_language(texts(Language::English)), "Attested on 23 November 2026, 12:00 UTC.");
        assert_eq!(message.in_language(texts(Language::Japanese)), "2026年11月23日 12:00 (UTC) に申告されました。");
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
