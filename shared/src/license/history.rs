//! What AWS says about a license, and what is kept of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::EndReason;
use crate::agreement::{Advisory, AgreementStatus, ObservedStatus, Standing, standing_of};
use crate::ids::{AgreementId, LicenseId};

/// What AWS says about one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LicenseEvent {
    /// `License Updated`: provisioned or changed.
    Updated(AgreementRef),
    /// `License Deprovisioned`: revoked.
    Deprovisioned(AgreementRef),
    /// `subscribe-success`.
    Subscribed {
        /// Its place among others.
        stamp: EventStamp,
        /// Whether the offer has a free trial.
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
    /// The agreement that it names.
    pub fn agreement(&self) -> Option<&AgreementId> {
        match self {
            Self::Updated(agreement_ref) | Self::Deprovisioned(agreement_ref) => Some(&agreement_ref.agreement),
            Self::ObservedInForce(seen) => seen.agreement.as_ref(),
            Self::Subscribed { .. } | Self::SubscribeFailed(_) | Self::Unsubscribing(_) | Self::Unsubscribed(_) => None,
        }
    }

    /// When the license came into force by it; none if it is no such event of AWS's.
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

/// The newest that AWS said about a license, one place a kind of event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventHistory {
    /// The newest `License Updated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<AgreementRef>,
    /// The time of the oldest activating event: when the license first was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_active: Option<Timestamp>,
    /// The newest `License Deprovisioned` of each agreement: that of an older one must not hide that of a newer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deprovisioned: BTreeMap<AgreementId, EventStamp>,
    /// The newest of the agreement that the license follows.
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
    /// That AWS showed it in force when it was asked, where no event had said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<ObservedInForce>,
    /// When it was first seen so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// What AWS has advised about the buyer's account, by agreement. It changes no state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub advisories: BTreeMap<AgreementId, Advisory>,
}

impl EventHistory {
    pub(super) fn keep_first(&mut self, at: Timestamp) {
        self.first_active = Some(self.first_active.map_or(at, |first| first.min(at)));
    }
}

/// What places an event among others of its kind: its time at AWS, and its id where two have the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventStamp {
    /// When AWS says that it happened.
    pub at: Timestamp,
    /// The event's own id.
    pub event: String,
}

/// A license event, with the agreement that it named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgreementRef {
    /// Its place among others.
    pub stamp: EventStamp,
    /// The agreement.
    pub agreement: AgreementId,
}

/// That AWS showed a license in force when it was asked.
///
/// It is weaker than an event, which knows the moment: it lifts no ending of its own agreement, and counts for nothing
/// as soon as an activating event of that agreement or of a later one is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInForce {
    /// The agreement that it is in force by; none for a legacy license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementId>,
    /// When that agreement began: the license was not in force by it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// By when it was in force at the latest: when AWS was asked, or when that agreement was over.
    pub at: Timestamp,
}

/// What is known of the agreement that a license follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementHistory {
    /// The agreement.
    pub agreement: AgreementId,
    /// What its newest event left it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// What the newest look at AWS found that its events did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<ObservedStatus>,
}

impl AgreementHistory {
    /// As what the agreement counts, and since when.
    pub fn standing(&self) -> Option<(AgreementStatus, Timestamp)> {
        standing_of(self.standing.as_ref(), self.seen.as_ref())
    }

    /// Returns why and when the agreement ended, of the endings that last; none if it did not.
    ///
    /// The event of an ending knows the time and counts alone. Where a later activating event lifted it, and AWS showed
    /// the agreement as ended even after that, what AWS showed counts: an event of an ending never reopens a license.
    pub(super) fn ending(&self, lasts: impl Fn(Timestamp) -> bool) -> Option<(EndReason, Timestamp)> {
        let (status, at) = self.standing()?;
        let reason = status.end_reason()?;
        let observed = || self.seen.as_ref().and_then(|seen| Some((seen.status.end_reason()?, seen.at)));
        Some((reason, at)).filter(|_| lasts(at)).or_else(observed).filter(|(_, at)| lasts(*at))
    }
}

/// That another license took over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Succession {
    /// Whether its time is only that of the agreement, since no event said when the other was in force. One that an
    /// event dates counts before it.
    #[serde(default)]
    pub undated: bool,
    /// When the other first was in force.
    pub at: Timestamp,
    /// The other.
    pub by: LicenseId,
    /// The agreement of this license that the other's took over from; a legacy license has none.
    pub from: Option<AgreementId>,
}

impl ObservedInForce {
    /// That of the later agreement; of the same one, the earlier look.
    pub(super) fn or_newer(self, other: Self) -> Self {
        let of = |seen: &Self| (seen.starts_at, seen.agreement.clone(), Reverse(seen.at));
        if of(&self) < of(&other) { other } else { self }
    }
}

/// Keeps what was given, if it is newer than what is known.
pub(super) fn keep_newest<T: Ord>(known: &mut Option<T>, given: T) {
    if known.as_ref().is_none_or(|known| *known < given) {
        *known = Some(given);
    }
}
