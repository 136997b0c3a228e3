//! What AWS's answers say that no event did: a pure function of the row and the answers.

use jiff::Timestamp;

use super::FindingKind;
use crate::agreement::{AWS_HAS_CAUGHT_UP, AgreementLook, AgreementStatus, ObservedStatus};
use crate::ids::LicenseArn;
use crate::license::{License, LicenseEvent, ObservedInForce};
use crate::marketplace::{AgreementAtAws, FoundAgreement};

/// A license as the table has it, and what AWS answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) license: &'a License,
    /// When AWS was asked first.
    pub(super) looked_at: Timestamp,
    /// The agreement that the license follows; none if it follows none, or AWS does not show it.
    pub(super) described: Option<&'a AgreementAtAws>,
    /// The agreements of its buyer about its product, if they were searched for.
    pub(super) found: &'a [FoundAgreement],
    /// Whether AWS proves that the license is provisioned by the agreement that [`needs_proof`](Self::needs_proof).
    pub(super) is_provisioned: bool,
}

/// What is to be taken in.
#[derive(Debug, Default)]
pub(super) struct Judged<'a> {
    /// What agreements were found to be.
    pub(super) looks: Vec<AgreementLook>,
    /// That the license is in force.
    pub(super) in_force: Option<ObservedInForce>,
    /// Licenses that may have taken over, each by its agreement, the next first. The first that is known, or in force, has.
    pub(super) heirs: Vec<Heir<'a>>,
    /// The last agreement of the chain, where that is over: then the license is over too, whichever license it had.
    pub(super) over: Option<AgreementLook>,
    pub(super) findings: Vec<FindingKind>,
}

/// A license of a later agreement of the chain.
#[derive(Debug)]
pub(super) struct Heir<'a> {
    pub(super) agreement: &'a FoundAgreement,
    pub(super) arn: &'a LicenseArn,
    pub(super) look: AgreementLook,
}

impl View<'_> {
    /// Whether more of the buyer's agreements must be known than the one that the license follows.
    pub(super) fn needs_search(&self) -> bool {
        match self.described.map(|described| described.status) {
            _ if self.license.successor().is_some() => false,
            None | Some(AgreementStatus::Active) => self.license.first_active().is_none(),
            Some(status) if status.end_reason().is_some() => !self.is_believed_over() || is_left_open(self),
            Some(_) => true,
        }
    }

    /// Whether the agreement that the license follows goes on in another.
    pub(super) fn goes_on(&self) -> bool {
        self.described.is_some_and(|described| described.status.goes_on())
    }

    /// The agreement in force that grants the license, where it is not known to be in force by that.
    pub(super) fn needs_proof(&self) -> Option<&FoundAgreement> {
        let license = self.license;
        let granting = self.granting().filter(|granting| granting.at_aws.status == AgreementStatus::Active);
        granting.filter(|it| license.first_active().is_none() || license.agreement() != Some(&it.id))
    }

    pub(super) fn is_active_at_aws(&self) -> bool {
        self.described.is_some_and(|described| described.status == AgreementStatus::Active)
    }

    /// As what the agreement that the license follows counts in the table.
    fn believed(&self) -> Option<(AgreementStatus, Timestamp)> {
        let history = self.license.history.agreement.as_ref();
        history.filter(|known| Some(&known.agreement) == self.license.agreement())?.standing()
    }

    /// When the newest event of the agreement that the license follows was.
    fn heard_at(&self) -> Option<Timestamp> {
        let history = self.license.history.agreement.as_ref();
        let followed = history.filter(|known| Some(&known.agreement) == self.license.agreement())?;
        followed.standing.as_ref().map(|standing| standing.stamp.at)
    }

    /// The newest agreement that has begun and grants the license.
    fn granting(&self) -> Option<&FoundAgreement> {
        let grants = |found: &&FoundAgreement| found.licenses.iter().any(|arn| *arn.id() == self.license.id);
        let begun = self.found.iter().filter(|found| has_begun(found, self.looked_at));
        begun.filter(grants).max_by_key(|found| found.at_aws.starts_at)
    }

    fn is_believed_over(&self) -> bool {
        self.believed().is_some_and(|(status, _)| status.end_reason().is_some())
    }

    /// The moment by which an agreement that AWS shows as over was over: it has not outlived its end date, its ending was
    /// the last change of it or an earlier one, and it was over when AWS was asked. The earliest of these is never
    /// later than AWS knows.
    fn over_by(&self, agreement: &AgreementAtAws, found: Option<&FoundAgreement>) -> Timestamp {
        let bounds = [agreement.ends_at, found.and_then(|found| found.last_update)];
        bounds.into_iter().flatten().fold(self.looked_at, Timestamp::min)
    }
}

/// Whether something has lasted so long that AWS and the news of it have caught up.
pub(super) fn is_settled(since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| now.duration_since(since) >= AWS_HAS_CAUGHT_UP)
}

/// A status that is new at AWS says nothing of an agreement, so such a one is left alone.
fn has_begun(found: &FoundAgreement, now: Timestamp) -> bool {
    found.at_aws.status != AgreementStatus::Unknown && found.at_aws.starts_at.is_some_and(|starts_at| starts_at <= now)
}

/// Judges what AWS answered. Asked again with the row that comes of it, it finds nothing more.
pub(super) fn judge<'a>(view: &View<'a>) -> Judged<'a> {
    let mut judged = Judged::default();
    judge_followed(view, &mut judged);
    judge_granting(view, &mut judged);
    judge_succession(view, &mut judged);
    judged
}

/// The agreement that the license follows: over and not believed so, or believed to be over and not.
fn judge_followed(view: &View<'_>, judged: &mut Judged<'_>) {
    // A word that is new at AWS says nothing: an event that says "Ended" beside it does.
    let described = view.described.filter(|described| described.status != AgreementStatus::Unknown);
    let (Some(id), Some(at_aws)) = (view.license.agreement(), described) else { return };
    let at = match (view.believed(), at_aws.status.end_reason().is_some()) {
        // One that goes on in another is shown by that one, if it is in force.
        (Some((status, at)), false) if status.end_reason().is_some() => {
            let is_back = at_aws.status == AgreementStatus::Active && is_settled(Some(at), view.looked_at);
            is_back.then_some(view.looked_at)
        }
        // A license that was provisioned after the word of its end, and is left open by it.
        (Some((status, _)), true) if status.end_reason().is_some() && !is_left_open(view) => None,
        (_, true) => {
            let found = view.found.iter().find(|found| found.id == *id);
            // What was heard of it as active is older than AWS's word that it is over. What was only seen may be stale.
            let known_active = view.heard_at().max(view.license.endings_lifted_before());
            Some(view.over_by(at_aws, found)).max(known_active)
        }
        (_, false) => None,
    };
    if let Some(at) = at {
        let seen = ObservedStatus { looked_at: view.looked_at, status: at_aws.status, at };
        let starts_at = at_aws.starts_at;
        judged.looks.push(AgreementLook { agreement: id.clone(), seen, previous: None, starts_at });
    } else if at_aws.status == AgreementStatus::Active && !view.is_believed_over() && is_closed(view) {
        judged.findings.push(FindingKind::ClosedButActive);
    }
}

/// Returns `true` if the license has been in force for so long that AWS must have caught up with what provisioned it.
fn is_left_open(view: &View<'_>) -> bool {
    !view.license.state_at(view.looked_at).has_ended() && is_settled(view.license.active_since(), view.looked_at)
}

/// Whether the license has been over for so long that AWS must know.
fn is_closed(view: &View<'_>) -> bool {
    let license = view.license;
    license.successor().is_none() && is_settled(license.usage_until(), view.looked_at)
}

/// The agreement that grants the license: the row may wait for word of it, or follow an older one.
fn judge_granting(view: &View<'_>, judged: &mut Judged<'_>) {
    let license = view.license;
    let Some(granting) = view.granting() else { return };
    let look = look_at(view, granting);
    let is_over = granting.at_aws.status.end_reason().is_some();
    // What is over grants nothing any more: only its end is taken in.
    let is_proven = is_over || view.is_provisioned;
    let seen = seen_by(&look);
    let mut after = license.clone();
    after.apply(LicenseEvent::ObservedInForce(seen.clone()));
    let is_next = after.agreement() != license.agreement();
    let is_begun = license.first_active().is_none() && granting.at_aws.status == AgreementStatus::Active;
    if !is_proven || !(is_next || is_begun) {
        return;
    }
    if is_next {
        judged.looks.push(look);
    }
    judged.in_force = Some(seen);
}

/// The license of the next agreement, where AWS made a new one; or how the chain ended.
fn judge_succession<'a>(view: &View<'a>, judged: &mut Judged<'a>) {
    let license = view.license;
    if !view.goes_on() || judged.in_force.is_some() || license.successor().is_some() {
        return;
    }
    let mut later: Vec<&FoundAgreement> = view.found.iter().filter(|found| follows(view, found)).collect();
    later.sort_by_key(|found| found.at_aws.starts_at);
    let over = later.last().filter(|last| last.at_aws.status.end_reason().is_some());
    judged.over = over.map(|last| look_at(view, last));
    for agreement in later {
        let others = agreement.licenses.iter().filter(|arn| *arn.id() != license.id);
        judged.heirs.extend(others.map(|arn| Heir { agreement, arn, look: look_at(view, agreement) }));
    }
}

/// Whether an agreement came after the one that the license follows, in the same chain.
fn follows(view: &View<'_>, found: &FoundAgreement) -> bool {
    let current = view.found.iter().find(|found| Some(&found.id) == view.license.agreement());
    current.is_some_and(|current| {
        found.id != current.id
            && found.initial.is_some()
            && found.initial == current.initial
            && found.at_aws.starts_at >= current.at_aws.starts_at
            && has_begun(found, view.looked_at)
    })
}

/// What was found of an agreement, which comes after the one that the license follows if it is of its chain.
fn look_at(view: &View<'_>, found: &FoundAgreement) -> AgreementLook {
    let is_over = found.at_aws.status.end_reason().is_some();
    let at = if is_over { view.over_by(&found.at_aws, Some(found)) } else { view.looked_at };
    AgreementLook {
        agreement: found.id.clone(),
        seen: ObservedStatus { looked_at: view.looked_at, status: found.at_aws.status, at },
        previous: view.license.agreement().filter(|_| follows(view, found)).cloned(),
        starts_at: found.at_aws.starts_at,
    }
}

/// Reads what was found of an agreement as word that a license was in force by it.
pub(super) fn seen_by(look: &AgreementLook) -> ObservedInForce {
    ObservedInForce { agreement: Some(look.agreement.clone()), starts_at: look.starts_at, at: look.seen.at }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
