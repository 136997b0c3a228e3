//! Evidence of what the functions did in operation, on which readiness checks depend.

use jiff::Timestamp;
use serde::Deserialize;

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

/// AWS's decision when a function last called an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPermission {
    /// The function.
    pub function: String,
    /// The action, as IAM names it.
    pub action: String,
    /// `true` if it was allowed.
    pub is_allowed: bool,
    /// The time of the decision; of equal ones on one day, the first.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in EvidenceKind::ALL {
            assert_eq!(EvidenceKind::named(kind.as_str()), Some(kind));
        }
        assert_eq!(EvidenceKind::named("another"), None);
    }
}
