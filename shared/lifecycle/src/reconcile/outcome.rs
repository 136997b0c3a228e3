//! The outcome of checking a license: what was repaired, and what needs an operator.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use domain::ids::{AgreementId, LicenseId};
use domain::license::{License, State, StateName};
use store::Store;

/// A repair of a license.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Repair {
    /// The license.
    pub license: LicenseId,
    /// The kind of repair.
    pub kind: RepairKind,
    /// Its state before; null if it was unknown.
    pub before: Option<StateName>,
    /// The state now.
    pub after: StateName,
}

/// A kind of repair. `found`: the license was unknown. `activated`: it is in force, and was taken for pending. `ended`:
/// it has ended, and was taken for one in force. `reopened`: it is in force, and was taken for ended. `renewed`:
/// another agreement followed its agreement. `handed_over`: another license replaced it, with its tenant.
/// `entitlements`: its entitlements changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepairKind {
    /// The table did not know the license.
    Found,
    /// The license is in force; the table had it as waiting.
    Activated,
    /// The license has ended; the table had it in force, or ended in another way.
    Ended,
    /// The license is in force; the table had it as ended.
    Reopened,
    /// Its agreement was followed by another.
    Renewed,
    /// Another license took over from it, with its tenant.
    HandedOver,
    /// The entitlements are different.
    Entitlements,
}

impl RepairKind {
    /// Returns the name in logs and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Activated => "activated",
            Self::Ended => "ended",
            Self::Reopened => "reopened",
            Self::Renewed => "renewed",
            Self::HandedOver => "handed_over",
            Self::Entitlements => "entitlements",
        }
    }
}

/// A contradiction that no rule repairs. An operator must resolve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// The kind of contradiction.
    pub kind: FindingKind,
    /// The license that it is about; null if none is known.
    pub license: Option<LicenseId>,
    /// The agreement that it is about; null if none is known.
    pub agreement: Option<AgreementId>,
}

/// A kind of contradiction. `unknown_agreement`: AWS has an agreement in force, and names no license of it. `unproven`:
/// AWS has the agreement in force, and does not say if its license is provisioned. `no_successor`: AWS shows that
/// another agreement continues this one, and shows none. `closed_but_active`: AWS revoked the license, and shows its
/// agreement as active. `entitlements_empty`: AWS shows the agreement as active, and no entitlements; the last known
/// ones are kept. `not_moved`: AWS names a license of a buyer who still has a customer key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// AWS has an agreement in force for which the table has no license and AWS names none.
    UnknownAgreement,
    /// AWS has the agreement in force, and does not show this account whether its license is provisioned.
    Unproven,
    /// AWS shows that the agreement continues in another, and shows no other.
    NoSuccessor,
    /// AWS has revoked the license, and still shows its agreement as active or its entitlements.
    ClosedButActive,
    /// AWS shows the agreement as active and grants nothing by it. The last known entitlements are kept.
    EntitlementsEmpty,
    /// AWS names a license of a buyer that a customer key still serves: the buyer must be moved.
    NotMoved,
}

impl FindingKind {
    /// Returns the name in logs and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAgreement => "unknown_agreement",
            Self::Unproven => "unproven",
            Self::NoSuccessor => "no_successor",
            Self::ClosedButActive => "closed_but_active",
            Self::EntitlementsEmpty => "entitlements_empty",
            Self::NotMoved => "not_moved",
        }
    }
}

/// The outcome of checking a license.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The repairs of this license and of those that took over from it.
    pub repairs: Vec<Repair>,
    /// The findings, which need an operator.
    pub findings: Vec<Finding>,
}

impl Outcome {
    pub(super) fn merge(&mut self, other: Self) {
        self.repairs.extend(other.repairs);
        self.findings.extend(other.findings);
    }

    pub(super) fn find(&mut self, kind: FindingKind, license: Option<&LicenseId>, agreement: Option<&AgreementId>) {
        let (named, of) = (license.map(LicenseId::as_str), agreement.map(AgreementId::as_str));
        tracing::error!(
            license = named,
            agreement = of,
            finding = kind.as_str(),
            "Found a difference from AWS that no rule repairs"
        );
        self.findings.push(Finding { kind, license: license.cloned(), agreement: agreement.cloned() });
    }

    /// Compares a license with what it was, and records each difference as a repair.
    pub(super) fn compare(&mut self, before: Option<&License>, after: &License, store: &Store) {
        let now = store.clock().now();
        let was = before.map(|before| before.state_at(now).name());
        let is = after.state_at(now).name();
        for kind in differences(before, after, now) {
            let (before, after_is) = (was.map(StateName::as_str), is.as_str());
            let (license, repair) = (&after.id, kind.as_str());
            tracing::warn!(%license, repair, before, after = after_is, counter = "reconcile_repair", "Repaired a license");
            self.repairs.push(Repair { license: after.id.clone(), kind, before: was, after: is });
        }
    }
}

fn differences(before: Option<&License>, after: &License, now: Timestamp) -> Vec<RepairKind> {
    let Some(before) = before else { return vec![RepairKind::Found] };
    let (was, is) = (before.state_at(now), after.state_at(now));
    let of_state = match (&was, &is) {
        (was, State::Active) if was.has_ended() => Some(RepairKind::Reopened),
        (State::Pending | State::Failed, State::Active) => Some(RepairKind::Activated),
        (was, is) if is.has_ended() && was != is => Some(RepairKind::Ended),
        _ => None,
    };
    let renewed = (before.agreement() != after.agreement()).then_some(RepairKind::Renewed);
    let granted = (before.entitlements != after.entitlements).then_some(RepairKind::Entitlements);
    let handed_over = (before.successor() != after.successor()).then_some(RepairKind::HandedOver);
    of_state.into_iter().chain(renewed).chain(handed_over).chain(granted).collect()
}
