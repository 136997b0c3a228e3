//! Events for the seller's application: one for each change that matters to it.
//!
//! An event is written in the transaction of its change. It holds no personal data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::entitlement::Entitlement;
use crate::ids::{LicenseId, ProductCode, TenantId};
use crate::license::{EndReason, License};

/// The kind of an event about a license.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "detail")]
pub enum OutboundEventKind {
    /// The buyer's payment failed; a later success is possible.
    #[serde(rename = "license.failed")]
    LicenseFailed,
    /// The license is in force.
    #[serde(rename = "license.activated")]
    LicenseActivated,
    /// The license has ended: no more usage is accepted, and usage that was reported up to that moment is still billed.
    #[serde(rename = "license.ending")]
    LicenseEnding {
        /// The moment of the ending.
        usage_until: Timestamp,
    },
    /// The license has ended and is closed.
    #[serde(rename = "license.ended")]
    LicenseEnded {
        /// The reason.
        reason: EndReason,
        /// The license that took over, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        successor: Option<LicenseId>,
    },
    /// The license belongs to a tenant now.
    #[serde(rename = "license.linked")]
    LicenseLinked {
        /// The tenant.
        tenant: TenantId,
    },
    /// The license no longer belongs to the tenant: an operator took it away, or gave it to another.
    #[serde(rename = "license.unlinked")]
    LicenseUnlinked {
        /// The tenant that it belonged to.
        tenant: TenantId,
    },
    /// The entitlements of the license have changed.
    #[serde(rename = "license.entitlements_changed")]
    EntitlementsChanged {
        /// The entitlements now.
        entitlements: Vec<Entitlement>,
    },
    /// AWS advises of a risk on the buyer's account. The license stays as it is: the seller decides what to do.
    #[serde(rename = "license.advisory_issued")]
    AdvisoryIssued {
        /// The time since which AWS advises of it.
        since: Timestamp,
    },
    /// AWS reports that the risk is resolved.
    #[serde(rename = "license.advisory_resolved")]
    AdvisoryResolved {
        /// The time since which AWS advised of it.
        since: Timestamp,
    },
    /// A buyer has left a contact; it is not in the event.
    #[serde(rename = "registration.completed")]
    RegistrationCompleted,
    /// A buyer came from AWS Marketplace with a license that belongs to a tenant, and was sent to sign in.
    #[serde(rename = "registration.returned")]
    RegistrationReturned,
}

impl OutboundEventKind {
    /// Returns the name that `type` has.
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
/// An event is delivered at least once and in no order. `sequence` orders the events of one license; a gap in it means
/// that an event is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundEvent {
    /// The id of the event. Ids sort by time.
    pub id: Ulid,
    /// The license that it is about.
    pub license: LicenseId,
    /// The license's product.
    pub product: ProductCode,
    /// The tenant that it concerns: the license's tenant, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The position among the license's events, from 1.
    pub sequence: u64,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The kind of the event.
    #[serde(flatten)]
    pub kind: OutboundEventKind,
}

impl OutboundEvent {
    /// Numbers the events of a license, and advances the license's sequence.
    pub fn number(kinds: Vec<OutboundEventKind>, license: &mut License, now: Timestamp) -> Vec<Self> {
        kinds
            .into_iter()
            .map(|kind| {
                license.sequence += 1;
                // An unlinking concerns the tenant that the license was taken from.
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

/// Returns a new id whose time part is `now`, from the clock of the caller.
fn ulid_at(now: Timestamp) -> Ulid {
    Ulid::from_datetime(now.into())
}
