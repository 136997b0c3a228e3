//! The events of AWS about a license, and what is kept of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EndReason, EventStamp};
use crate::agreement::{Advisory, AgreementStatus, ObservedStatus, ReportedStatus, effective_status};
use crate::ids::{AgreementId, LicenseId};

/// An event of AWS about one license, or an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LicenseEvent {
    /// `License Updated`: provisioned or changed.
    Updated(AgreementRef),
    /// `License Deprovisioned`: revoked.
    Deprovisioned(AgreementRef),
    /// `subscribe-success`.
    Subscribed {
        /// The position of the event among others of its kind.
        stamp: EventStamp,
        /// `true` if the offer has a free trial.
        free_trial: bool,
    },
    /// `subscribe-fail`.
    SubscribeFailed(EventStamp),
    /// `unsubscribe-pending`.
    Unsubscribing(EventStamp),
    /// `unsubscribe-success`.
    Unsubscribed(EventStamp),
    /// No event: AWS showed the license in force when it was asked.
    ObservedInForce(ObservedInForce),
}

impl LicenseEvent {
    /// Returns the agreement that it names.
    pub fn agreement(&self) -> Option<&AgreementId> {
        match self {
            Self::Updated(agreement_ref) | Self::Deprovisioned(agreement_ref) => Some(&agreement_ref.agreement),
            Self::ObservedInForce(observed) => observed.agreement.as_ref(),
            Self::Subscribed { .. } | Self::SubscribeFailed(_) | Self::Unsubscribing(_) | Self::Unsubscribed(_) => None,
        }
    }

    /// Returns the time at which it put the license in force; `None` if it is not an activating event of AWS.
    pub fn activated_at(&self) -> Option<Timestamp> {
        match self {
            Self::Updated(agreement_ref) => Some(agreement_ref.stamp.at),
            Self::Subscribed { stamp, .. } => Some(stamp.at),
            Self::Deprovisioned(_)
            | Self::SubscribeFailed(_)
            | Self::Unsubscribing(_)
            | Self::Unsubscribed(_)
            | Self::ObservedInForce(_) => None,
        }
    }
}

/// The newest events of AWS about a license, one field for each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventHistory {
    /// The newest `License Updated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<AgreementRef>,
    /// The time of the oldest activating event: the time at which the license was first in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_active: Option<Timestamp>,
    /// The newest `License Deprovisioned` of each agreement. The event of an older agreement must not hide that of a
    /// newer one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deprovisioned: BTreeMap<AgreementId, EventStamp>,
    /// The newest event and observation of the agreement that the license follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementHistory>,
    /// The newest `subscribe-success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribed: Option<EventStamp>,
    /// The newest `subscribe-fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<EventStamp>,
    /// The newest `unsubscribe-pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribing: Option<EventStamp>,
    /// The newest `unsubscribe-success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribed: Option<EventStamp>,
    /// The license of the next agreement, where AWS made a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<Succession>,
    /// The observation that AWS showed it in force, if no event had reported that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedInForce>,
    /// The time at which it was first observed in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_observed: Option<Timestamp>,
    /// The advisories of AWS about the buyer's account, by agreement. They change no state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub advisories: BTreeMap<AgreementId, Advisory>,
}

impl EventHistory {
    pub(super) fn set_first_active(&mut self, at: Timestamp) {
        self.first_active = Some(self.first_active.map_or(at, |first| first.min(at)));
    }
}

/// A license event, and the agreement that it named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgreementRef {
    /// The position of the event among others of its kind.
    pub stamp: EventStamp,
    /// The agreement.
    pub agreement: AgreementId,
}

/// An observation: AWS showed a license in force when it was asked.
///
/// It is weaker than an event, which has the exact time. It lifts no ending of its own agreement, and no longer counts
/// as soon as there is an activating event of that agreement or of a later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInForce {
    /// The agreement by which it is in force; `None` for a legacy license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementId>,
    /// The start of that agreement: the license was not in force by it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// The latest time by which it was in force: the time at which AWS was asked, or the end of that agreement.
    pub at: Timestamp,
}

/// The known status of the agreement that a license follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementHistory {
    /// The agreement.
    pub agreement: AgreementId,
    /// The status after its newest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<ReportedStatus>,
    /// The newest status that AWS showed and its events did not report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedStatus>,
}

impl AgreementHistory {
    /// Returns the status that counts for the agreement, and the time since which it has that status.
    pub fn effective_status(&self) -> Option<(AgreementStatus, Timestamp)> {
        effective_status(self.reported.as_ref(), self.observed.as_ref())
    }

    /// Returns the reason and the time of the agreement's ending, if no activating event lifts it; `None` otherwise.
    ///
    /// The event of an ending has the exact time and takes precedence. If a later activating event lifted that ending,
    /// and AWS showed the agreement as ended even after that, the observation counts: an event of an ending never
    /// reopens a license.
    pub(super) fn ending(&self, is_not_lifted: impl Fn(Timestamp) -> bool) -> Option<(EndReason, Timestamp)> {
        let (status, at) = self.effective_status()?;
        let reason = status.end_reason()?;
        let observed =
            || self.observed.as_ref().and_then(|observed| Some((observed.status.end_reason()?, observed.at)));
        Some((reason, at)).filter(|_| is_not_lifted(at)).or_else(observed).filter(|(_, at)| is_not_lifted(*at))
    }
}

/// A succession: another license took over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Succession {
    /// `true` if the time is only that of the agreement, since no event reported when the other license was in force. A
    /// succession that an event dates takes precedence.
    #[serde(default)]
    pub undated: bool,
    /// The time at which the other license was first in force.
    pub at: Timestamp,
    /// The other license.
    pub by: LicenseId,
    /// The agreement of this license that the agreement of the other one took over from; `None` for a legacy license.
    pub from: Option<AgreementId>,
}

impl ObservedInForce {
    /// Returns the observation of the later agreement; of the same agreement, the earlier observation.
    pub(super) fn or_newer(self, other: Self) -> Self {
        let of = |observed: &Self| (observed.starts_at, observed.agreement.clone(), Reverse(observed.at));
        if of(&self) < of(&other) { other } else { self }
    }
}

/// Keeps the given value, if it is newer than the known one.
pub(super) fn set_newest<T: Ord>(known: &mut Option<T>, given: T) {
    if known.as_ref().is_none_or(|known| *known < given) {
        *known = Some(given);
    }
}
