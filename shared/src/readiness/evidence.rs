//! What the functions did for real, and the checks that rest on it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::facts::Facts;
use super::judgement::{Verdict, missing, of, pass};

/// Something that a function did, and that AWS's reviewers or the seller's integration rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// ResolveCustomer answered for a buyer's token.
    TokenResolved,
    /// A license came into force by AWS's news.
    LicenseActivated,
    /// GetEntitlements answered for a license.
    EntitlementRead,
    /// AWS took a usage record.
    UsageAccepted,
    /// An agreement was amended, renewed or replaced, or its entitlements changed.
    AgreementChanged,
    /// A license ended, and what was used until then was sent or was none.
    EndingFlushed,
    /// A token that AWS does not know was refused.
    BadTokenRefused,
    /// A buyer was written to.
    BuyerNotified,
    /// A license was linked to an account that was there before.
    ExistingAccountLinked,
    /// A license that is linked was claimed for another tenant, and that was refused.
    SecondClaimRefused,
    /// The application asked what a tenant may use.
    EntitlementAsked,
}

impl EvidenceKind {
    /// All of them.
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

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name, as it is stored.
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

/// That something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Evidence {
    /// The first time.
    pub first: Timestamp,
    /// The last time, or one of the same day.
    pub last: Timestamp,
}

/// The evidence of a kind, in a map of what there is.
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
