//! What the seller's application is told: one event for each change that matters to it.
//!
//! An event is written in the transaction of the change itself. It holds no personal data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::entitlement::Entitlement;
use crate::ids::{LicenseId, ProductCode, TenantId};
use crate::license::{EndReason, License};

/// What happened to a license.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "detail")]
pub enum OutboundEventKind {
    /// The buyer's payment failed; a later success is possible.
    #[serde(rename = "license.failed")]
    LicenseFailed,
    /// The license is in force.
    #[serde(rename = "license.activated")]
    LicenseActivated,
    /// The license is over: no more usage is taken in, and what was reported up to that moment is still billed.
    #[serde(rename = "license.ending")]
    LicenseEnding {
        /// The moment.
        usage_until: Timestamp,
    },
    /// The license is over and closed.
    #[serde(rename = "license.ended")]
    LicenseEnded {
        /// Why.
        reason: EndReason,
        /// The license that took over, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        successor: Option<LicenseId>,
    },
    /// The license belongs to a tenant now.
    #[serde(rename = "license.linked")]
    LicenseLinked {
        /// The tenant.
        tenant: TenantId,
    },
    /// The license does not belong to that tenant any more: an operator took it away, or gave it to another.
    #[serde(rename = "license.unlinked")]
    LicenseUnlinked {
        /// The tenant that it belonged to.
        tenant: TenantId,
    },
    /// What the license grants has changed.
    #[serde(rename = "license.entitlements_changed")]
    EntitlementsChanged {
        /// What it grants now.
        entitlements: Vec<Entitlement>,
    },
    /// AWS advises of a risk on the buyer's account. The license stays as it is: what to do is the seller's decision.
    #[serde(rename = "license.advisory_issued")]
    AdvisoryIssued {
        /// Since when.
        since: Timestamp,
    },
    /// AWS says that the risk is over.
    #[serde(rename = "license.advisory_resolved")]
    AdvisoryResolved {
        /// Since when it was advised of.
        since: Timestamp,
    },
    /// A buyer has left their contact; it is not in the event.
    #[serde(rename = "registration.completed")]
    RegistrationCompleted,
    /// Somebody came from AWS Marketplace with a license that belongs to a tenant, and was sent to sign in.
    #[serde(rename = "registration.returned")]
    RegistrationReturned,
}

impl OutboundEventKind {
    /// What happened, as `type` says it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LicenseFailed => "license.failed",
            Self::LicenseActivated => "license.activated",
            Self::LicenseEnding { .. } => "license.ending",
            Self::LicenseEnded { .. } => "license.ended",
            Self::LicenseLinked { .. } => "license.linked",
            Self::LicenseUnlinked { .. } => "license.unlinked",
            Self::EntitlementsChanged { .. } => "license.entitlements_changed",
            Self::AdvisoryIssued { .. } => "license.advisory_issued",
            Self::AdvisoryResolved { .. } => "license.advisory_resolved",
            Self::RegistrationCompleted => "registration.completed",
            Self::RegistrationReturned => "registration.returned",
        }
    }
}

/// An event for the seller's application.
///
/// Delivered at least once and in no order; `sequence` orders the events of one license, and a gap in it means that
/// one is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundEvent {
    /// The event's own id, in the order of time.
    pub id: Ulid,
    /// The license that it is about.
    pub license: LicenseId,
    /// The license's product.
    pub product: ProductCode,
    /// The tenant that it concerns: the license's, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Its place among the license's events, from 1.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: OutboundEventKind,
}

impl OutboundEvent {
    /// Numbers what is told of a license, and counts the license's sequence on.
    pub fn number(kinds: Vec<OutboundEventKind>, license: &mut License, now: Timestamp) -> Vec<Self> {
        kinds
            .into_iter()
            .map(|kind| {
                license.sequence += 1;
                // It concerns the tenant that it was taken from.
                let tenant = match &kind {
                    OutboundEventKind::LicenseUnlinked { tenant } => Some(tenant.clone()),
                    _ => license.tenant.clone(),
                };
                Self {
                    id: ulid_at(now),
                    license: license.id.clone(),
                    product: license.product.clone(),
                    tenant,
                    sequence: license.sequence,
                    at: now,
                    kind,
                }
            })
            .collect()
    }
}

/// A new id whose time part is `now`, by the clock that everything else goes by.
fn ulid_at(now: Timestamp) -> Ulid {
    Ulid::from_datetime(now.into())
}
