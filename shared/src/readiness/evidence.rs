//! Evidence of what the functions did in operation, and the checks that depend on it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::facts::Facts;
use super::judgement::{Verdict, missing, of, pass};

/// An action of a function that AWS's reviewers or the seller's integration depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// ResolveCustomer answered for a buyer's token.
    TokenResolved,
    /// A license was activated by AWS's events.
    LicenseActivated,
    /// GetEntitlements answered for a license.
    EntitlementRead,
    /// AWS accepted a usage record.
    UsageAccepted,
    /// An agreement was amended, renewed or replaced, or its entitlements changed.
    AgreementChanged,
    /// A license ended, and its usage until then was sent, or there was none.
    EndingFlushed,
    /// A token that AWS does not know was refused.
    BadTokenRefused,
    /// A mail was sent to a buyer.
    BuyerNotified,
    /// A license was linked to an account that already existed.
    ExistingAccountLinked,
    /// A claim of a linked license for another tenant was refused.
    SecondClaimRefused,
    /// The application asked for a tenant's entitlements.
    EntitlementAsked,
}

impl EvidenceKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::TokenResolved,
        Self::LicenseActivated,
        Self::EntitlementRead,
        Self::UsageAccepted,
        Self::AgreementChanged,
        Self::EndingFlushed,
        Self::BadTokenRefused,
        Self::BuyerNotified,
        Self::ExistingAccountLinked,
        Self::SecondClaimRefused,
        Self::EntitlementAsked,
    ];

    /// Returns the kind with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns the name under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenResolved => "token_resolved",
            Self::LicenseActivated => "license_activated",
            Self::EntitlementRead => "entitlement_read",
            Self::UsageAccepted => "usage_accepted",
            Self::AgreementChanged => "agreement_changed",
            Self::EndingFlushed => "ending_flushed",
            Self::BadTokenRefused => "bad_token_refused",
            Self::BuyerNotified => "buyer_notified",
            Self::ExistingAccountLinked => "existing_account_linked",
            Self::SecondClaimRefused => "second_claim_refused",
            Self::EntitlementAsked => "entitlement_asked",
        }
    }
}

/// Evidence that something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Evidence {
    /// The first time.
    pub first: Timestamp,
    /// The last time, or another time on the same day.
    pub last: Timestamp,
}

/// Returns the last time of a kind, from a map of all evidence.
pub(super) fn last(seen: &BTreeMap<EvidenceKind, Evidence>, kind: EvidenceKind) -> Option<Timestamp> {
    seen.get(&kind).map(|evidence| evidence.last)
}

fn seen(facts: &Facts<'_>, kind: EvidenceKind) -> Verdict {
    of(&facts.evidence, |evidence| match last(evidence, kind) {
        Some(at) => pass("ok", [("at", at.to_string())]),
        None => missing("none", []),
    })
}

pub(super) fn token_resolved(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::TokenResolved)
}

pub(super) fn license_activated(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::LicenseActivated)
}

pub(super) fn entitlement_read(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::EntitlementRead)
}

pub(super) fn usage_accepted(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::UsageAccepted)
}

pub(super) fn agreement_changed(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::AgreementChanged)
}

pub(super) fn ending_flushed(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::EndingFlushed)
}

pub(super) fn bad_token_refused(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::BadTokenRefused)
}

pub(super) fn buyer_notified(facts: &Facts<'_>) -> Verdict {
    seen(facts, EvidenceKind::BuyerNotified)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::testing::{Case, blind, table};

    #[test]
    fn what_was_done_passes_and_what_was_not_is_missing() {
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
                        Case::blind(|facts| facts.evidence = Err(blind())),
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

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in EvidenceKind::ALL {
            assert_eq!(EvidenceKind::named(kind.as_str()), Some(kind));
        }
        assert_eq!(EvidenceKind::named("another"), None);
    }
}
