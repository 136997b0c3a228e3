//! Evidence of what the functions did in operation, and the checks that depend on it.

use std::collections::BTreeMap;

use domain::evidence::{Evidence, EvidenceKind};
use jiff::Timestamp;

use super::facts::Facts;
use super::judgement::{Verdict, if_observed, missing, pass};

/// Returns the last time of a kind, from a map of all evidence.
pub(super) fn last(evidence: &BTreeMap<EvidenceKind, Evidence>, kind: EvidenceKind) -> Option<Timestamp> {
    evidence.get(&kind).map(|evidence| evidence.last)
}

fn exists(facts: &Facts<'_>, kind: EvidenceKind) -> Verdict {
    if_observed(&facts.evidence, |evidence| match last(evidence, kind) {
        Some(at) => pass("ok", [("at", at.to_string())]),
        None => missing("none", []),
    })
}

pub(super) fn token_resolved(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::TokenResolved)
}

pub(super) fn license_activated(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::LicenseActivated)
}

pub(super) fn entitlement_read(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::EntitlementRead)
}

pub(super) fn usage_accepted(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::UsageAccepted)
}

pub(super) fn agreement_changed(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::AgreementChanged)
}

pub(super) fn ending_flushed(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::EndingFlushed)
}

pub(super) fn bad_token_refused(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::BadTokenRefused)
}

pub(super) fn buyer_notified(facts: &Facts<'_>) -> Verdict {
    exists(facts, EvidenceKind::BuyerNotified)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Case, table, unobserved};

    #[test]
    fn a_check_passes_once_its_evidence_exists() {
        macro_rules! of {
            ($($id:literal: $kind:ident),* $(,)?) => {
                $(table(
                    $id,
                    &[
                        Case::pass("ok", |_| {}),
                        // One occurrence is sufficient, however long ago.
                        Case::pass("ok", |facts| {
                            let once = Evidence { first: Timestamp::UNIX_EPOCH, last: Timestamp::UNIX_EPOCH };
                            facts.evidence = Ok([(EvidenceKind::$kind, once)].into());
                        }),
                        Case::missing("none", |facts| {
                            facts.evidence.as_mut().unwrap().remove(&EvidenceKind::$kind);
                        }),
                        Case::unobserved(|facts| facts.evidence = Err(unobserved())),
                    ],
                );)*
            };
        }
        of!(
            "evidence.token_resolved": TokenResolved,
            "evidence.license_activated": LicenseActivated,
            "evidence.entitlement_read": EntitlementRead,
            "evidence.usage_accepted": UsageAccepted,
            "evidence.agreement_changed": AgreementChanged,
            "evidence.ending_flushed": EndingFlushed,
            "evidence.bad_token_refused": BadTokenRefused,
            "evidence.buyer_notified": BuyerNotified,
        );
    }
}
