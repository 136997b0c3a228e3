//! The judgment of AWS's answers: what they show that no event reported. It is a pure function of the row and the
//! answers.

use super::FindingKind;
use domain::agreement::{AWS_CONSISTENCY_DELAY, AgreementObservation, AgreementStatus, ObservedStatus};
use domain::ids::LicenseArn;
use domain::license::{License, LicenseEvent, ObservedInForce};
use jiff::Timestamp;
use marketplace::{DescribedAgreement, FoundAgreement};

/// A license as the table has it, and the answers of AWS.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) license: &'a License,
    /// The time of the first request to AWS.
    pub(super) observed_at: Timestamp,
    /// The agreement that the license follows; `None` if it follows none, or AWS does not show it.
    pub(super) described: Option<&'a DescribedAgreement>,
    /// The agreements of its buyer about its product, if they were searched for.
    pub(super) found: &'a [FoundAgreement],
    /// `true` if AWS proves that the license is provisioned by the agreement of [`needs_proof`](Self::needs_proof).
    pub(super) is_provisioned: bool,
}

/// The changes to apply.
#[derive(Debug, Default)]
pub(super) struct Judged<'a> {
    /// The observations of agreements.
    pub(super) observations: Vec<AgreementObservation>,
    /// The observation that the license is in force.
    pub(super) in_force: Option<ObservedInForce>,
    /// Licenses that may have taken over, each with its agreement, the next one first. The first one that is known, or
    /// in force, has taken over.
    pub(super) successor_candidates: Vec<SuccessorCandidate<'a>>,
    /// The last agreement of the chain, if it has ended. The license has ended too then, whichever license the
    /// agreement had.
    pub(super) ended: Option<AgreementObservation>,
    pub(super) findings: Vec<FindingKind>,
}

/// A license of a later agreement of the chain.
#[derive(Debug)]
pub(super) struct SuccessorCandidate<'a> {
    pub(super) agreement: &'a FoundAgreement,
    pub(super) arn: &'a LicenseArn,
    pub(super) observation: AgreementObservation,
}

impl View<'_> {
    /// Returns `true` if more of the buyer's agreements must be known than the one that the license follows.
    pub(super) fn needs_search(&self) -> bool {
        match self.described.map(|described| described.status) {
            _ if self.license.successor().is_some() => false,
            None | Some(AgreementStatus::Active) => self.license.first_active().is_none(),
            Some(status) if status.end_reason().is_some() => !self.is_known_ended() || is_left_open(self),
            Some(_) => true,
        }
    }

    /// Returns `true` if the agreement that the license follows continues in another.
    pub(super) fn continues(&self) -> bool {
        self.described.is_some_and(|described| described.status.continues())
    }

    /// Returns the agreement in force that grants the license, if the license is not known to be in force by it.
    pub(super) fn needs_proof(&self) -> Option<&FoundAgreement> {
        let license = self.license;
        let granting = self.granting().filter(|granting| granting.described.status == AgreementStatus::Active);
        granting.filter(|it| license.first_active().is_none() || license.agreement() != Some(&it.id))
    }

    pub(super) fn is_active_in_aws(&self) -> bool {
        self.described.is_some_and(|described| described.status == AgreementStatus::Active)
    }

    /// Returns the status that the table has for the agreement that the license follows, and its time.
    fn known_status(&self) -> Option<(AgreementStatus, Timestamp)> {
        let history = self.license.history.agreement.as_ref();
        history.filter(|known| Some(&known.agreement) == self.license.agreement())?.effective_status()
    }

    /// Returns the time of the newest event of the agreement that the license follows.
    fn reported_at(&self) -> Option<Timestamp> {
        let history = self.license.history.agreement.as_ref();
        let followed = history.filter(|known| Some(&known.agreement) == self.license.agreement())?;
        followed.reported.as_ref().map(|reported| reported.stamp.at)
    }

    /// Returns the newest agreement that has started and grants the license.
    fn granting(&self) -> Option<&FoundAgreement> {
        let grants = |found: &&FoundAgreement| found.licenses.iter().any(|arn| *arn.id() == self.license.id);
        let begun = self.found.iter().filter(|found| has_started(found, self.observed_at));
        begun.filter(grants).max_by_key(|found| found.described.starts_at)
    }

    fn is_known_ended(&self) -> bool {
        self.known_status().is_some_and(|(status, _)| status.end_reason().is_some())
    }

    /// Returns the moment by which an agreement that AWS shows as ended had ended. It has not outlived its end date,
    /// its ending was its last change or an earlier one, and it had ended when AWS was asked. The earliest of these
    /// times is never later than AWS knows.
    fn ended_by(&self, agreement: &DescribedAgreement, found: Option<&FoundAgreement>) -> Timestamp {
        let bounds = [agreement.ends_at, found.and_then(|found| found.last_update)];
        bounds.into_iter().flatten().fold(self.observed_at, Timestamp::min)
    }
}

/// Returns `true` if something has lasted so long that AWS and its events have caught up.
pub(super) fn is_settled(since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| now.duration_since(since) >= AWS_CONSISTENCY_DELAY)
}

/// Returns `true` if an agreement has started. An unknown status says nothing about an agreement, so such an agreement
/// is left alone.
fn has_started(found: &FoundAgreement, now: Timestamp) -> bool {
    found.described.status != AgreementStatus::Unknown
        && found.described.starts_at.is_some_and(|starts_at| starts_at <= now)
}

/// Judges the answers of AWS. Called again with the resulting row, it finds nothing more.
pub(super) fn judge<'a>(view: &View<'a>) -> Judged<'a> {
    let mut judged = Judged::default();
    judge_followed(view, &mut judged);
    judge_granting(view, &mut judged);
    judge_succession(view, &mut judged);
    judged
}

/// Judges the agreement that the license follows: it has ended and the table does not know it, or the table has it as
/// ended and it has not.
fn judge_followed(view: &View<'_>, judged: &mut Judged<'_>) {
    // An unknown status says nothing. An event that reports "Ended" beside it does.
    let described = view.described.filter(|described| described.status != AgreementStatus::Unknown);
    let (Some(id), Some(described)) = (view.license.agreement(), described) else { return };
    let at = match (view.known_status(), described.status.end_reason().is_some()) {
        // An agreement that continues in another is shown by that other one, if it is in force.
        (Some((status, at)), false) if status.end_reason().is_some() => {
            let is_back = described.status == AgreementStatus::Active && is_settled(Some(at), view.observed_at);
            is_back.then_some(view.observed_at)
        }
        // The ending is known, unless the license was provisioned after it and is left open by it.
        (Some((status, _)), true) if status.end_reason().is_some() && !is_left_open(view) => None,
        (_, true) => {
            let found = view.found.iter().find(|found| found.id == *id);
            // Its events as active are older than AWS's answer that it has ended. An observation alone may be stale.
            let known_active = view.reported_at().max(view.license.endings_lifted_before());
            Some(view.ended_by(described, found)).max(known_active)
        }
        (_, false) => None,
    };
    if let Some(at) = at {
        let observed = ObservedStatus { observed_at: view.observed_at, status: described.status, at };
        let starts_at = described.starts_at;
        judged.observations.push(AgreementObservation { agreement: id.clone(), observed, previous: None, starts_at });
    } else if described.status == AgreementStatus::Active && !view.is_known_ended() && is_closed(view) {
        judged.findings.push(FindingKind::ClosedButActive);
    }
}

/// Returns `true` if the license has been in force for so long that AWS must have caught up with what provisioned it.
fn is_left_open(view: &View<'_>) -> bool {
    !view.license.state_at(view.observed_at).has_ended() && is_settled(view.license.active_since(), view.observed_at)
}

/// Returns `true` if the license has been closed for so long that AWS must know.
fn is_closed(view: &View<'_>) -> bool {
    let license = view.license;
    license.successor().is_none() && is_settled(license.usage_until(), view.observed_at)
}

/// Judges the agreement that grants the license. The row may wait for its event, or follow an older agreement.
fn judge_granting(view: &View<'_>, judged: &mut Judged<'_>) {
    let license = view.license;
    let Some(granting) = view.granting() else { return };
    let observation = observation_of(view, granting);
    let has_ended = granting.described.status.end_reason().is_some();
    // An ended agreement grants nothing any more: only its end is applied.
    let is_proven = has_ended || view.is_provisioned;
    let observed = in_force_by(&observation);
    let mut after = license.clone();
    after.apply(LicenseEvent::ObservedInForce(observed.clone()));
    let is_next = after.agreement() != license.agreement();
    let has_newly_started = license.first_active().is_none() && granting.described.status == AgreementStatus::Active;
    if !is_proven || !(is_next || has_newly_started) {
        return;
    }
    if is_next {
        judged.observations.push(observation);
    }
    judged.in_force = Some(observed);
}

/// Judges the license of the next agreement, if AWS made a new one, or the end of the chain.
fn judge_succession<'a>(view: &View<'a>, judged: &mut Judged<'a>) {
    let license = view.license;
    if !view.continues() || judged.in_force.is_some() || license.successor().is_some() {
        return;
    }
    let mut later: Vec<&FoundAgreement> = view.found.iter().filter(|found| follows(view, found)).collect();
    later.sort_by_key(|found| found.described.starts_at);
    let ended = later.last().filter(|last| last.described.status.end_reason().is_some());
    judged.ended = ended.map(|last| observation_of(view, last));
    for agreement in later {
        let others = agreement.licenses.iter().filter(|arn| *arn.id() != license.id);
        judged.successor_candidates.extend(others.map(|arn| SuccessorCandidate {
            agreement,
            arn,
            observation: observation_of(view, agreement),
        }));
    }
}

/// Returns `true` if an agreement came after the one that the license follows, in the same chain.
fn follows(view: &View<'_>, found: &FoundAgreement) -> bool {
    let current = view.found.iter().find(|found| Some(&found.id) == view.license.agreement());
    current.is_some_and(|current| {
        found.id != current.id
            && found.initial.is_some()
            && found.initial == current.initial
            && found.described.starts_at >= current.described.starts_at
            && has_started(found, view.observed_at)
    })
}

/// Builds the observation of an agreement. Its previous agreement is the one that the license follows, if it came after
/// that one in the same chain.
fn observation_of(view: &View<'_>, found: &FoundAgreement) -> AgreementObservation {
    let has_ended = found.described.status.end_reason().is_some();
    let at = if has_ended { view.ended_by(&found.described, Some(found)) } else { view.observed_at };
    AgreementObservation {
        agreement: found.id.clone(),
        observed: ObservedStatus { observed_at: view.observed_at, status: found.described.status, at },
        previous: view.license.agreement().filter(|_| follows(view, found)).cloned(),
        starts_at: found.described.starts_at,
    }
}

/// Converts the observation of an agreement into the observation that a license was in force by it.
pub(super) fn in_force_by(observation: &AgreementObservation) -> ObservedInForce {
    ObservedInForce {
        agreement: Some(observation.agreement.clone()),
        starts_at: observation.starts_at,
        at: observation.observed.at,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
