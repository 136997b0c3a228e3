//! Agreements, as far as licenses depend on them.
//!
//! Agreement events name no license and mostly no product. So their content is kept by agreement, and each license
//! takes it from there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::AgreementId;
use crate::license::{EndReason, EventStamp};

/// The known data of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Its id.
    pub id: AgreementId,
    /// The status after its newest event; `None` if no event about it has arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<ReportedStatus>,
    /// The newest status that AWS showed and its events did not report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedStatus>,
    /// The advisories of AWS about the buyer's account.
    #[serde(default, skip_serializing_if = "Advisory::is_none")]
    pub advisory: Advisory,
    /// The agreement that it renewed or replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<AgreementId>,
    /// The time at which it started or will start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// The agreements that renewed or replaced it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub next: BTreeSet<AgreementId>,
    /// The number of writes of the row; a write holds only if it is the next one.
    #[serde(default)]
    pub version: u64,
}

/// The status of an agreement after an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedStatus {
    /// The position of the event among others.
    pub stamp: EventStamp,
    /// The status.
    pub status: AgreementStatus,
}

/// A status that AWS showed for an agreement and that no event had reported.
///
/// It is weaker than an event: see [`effective_status`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservedStatus {
    /// The time at which AWS was asked.
    pub observed_at: Timestamp,
    /// The status.
    pub status: AgreementStatus,
    /// The latest time since which it has that status: the moment by which AWS shows it as ended, or the time of the
    /// request.
    pub at: Timestamp,
}

/// The time for which AWS may still show an agreement as active after its event of the ending.
pub const AWS_CONSISTENCY_DELAY: SignedDuration = SignedDuration::from_mins(15);

/// Returns the status that counts for an agreement, and its time, from its newest event and its newest
/// observation.
///
/// An observed ending counts until its event arrives, which has the exact time. An observation as active lifts an
/// ending only if AWS has had the time to catch up with its own event.
pub fn effective_status(
    reported: Option<&ReportedStatus>,
    observed: Option<&ObservedStatus>,
) -> Option<(AgreementStatus, Timestamp)> {
    let given = reported.map(|reported| (reported.status, reported.stamp.at));
    let Some(observed) = observed else { return given };
    let Some((status, at)) = given else { return Some((observed.status, observed.at)) };
    let counts = match (status.end_reason(), observed.status.end_reason()) {
        (None, Some(_)) => observed.at >= at,
        (Some(_), None) => observed.at.duration_since(at) >= AWS_CONSISTENCY_DELAY,
        (None, None) | (Some(_), Some(_)) => false,
    };
    Some(if counts { (observed.status, observed.at) } else { (status, at) })
}

/// A risk that AWS found on a buyer's account (closure, compromise, fraud): the newest time at which AWS issued an
/// advisory, and the newest at which AWS resolved one. The seller decides what to do about access.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// The newest time at which an advisory was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// The newest time at which an advisory was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
}

impl Advisory {
    /// Returns `true` if there was never an advisory.
    pub fn is_none(&self) -> bool {
        self.issued_at.is_none() && self.resolved_at.is_none()
    }

    /// Merges what is known elsewhere. The newest time of each kind counts, in any order of arrival.
    pub fn apply(&mut self, other: &Self) {
        self.issued_at = self.issued_at.max(other.issued_at);
        self.resolved_at = self.resolved_at.max(other.resolved_at);
    }

    /// Returns the time since which an advisory stands; `None` if there is none, or if it was resolved since.
    pub fn since(&self) -> Option<Timestamp> {
        self.issued_at.filter(|issued| self.resolved_at.is_none_or(|resolved| resolved < *issued))
    }
}

/// The status of an agreement, as the Agreement API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgreementStatus {
    /// In force, or accepted for a later date.
    Active,
    /// Ended and archived.
    Archived,
    /// Ended by the buyer or on request.
    Cancelled,
    /// Ended at its end date.
    Expired,
    /// Followed by a renewal.
    Renewed,
    /// Followed by another agreement.
    Replaced,
    /// Rolled back.
    RolledBack,
    /// Followed by an amendment.
    Superseded,
    /// Ended by AWS or the seller.
    Terminated,
    /// A status that did not exist when this was written.
    Unknown,
}

impl AgreementStatus {
    /// Reads the status that AWS names; a new one is [`AgreementStatus::Unknown`].
    pub fn read(text: &str) -> Self {
        match text {
            "ACTIVE" => Self::Active,
            "ARCHIVED" => Self::Archived,
            "CANCELLED" => Self::Cancelled,
            "EXPIRED" => Self::Expired,
            "RENEWED" => Self::Renewed,
            "REPLACED" => Self::Replaced,
            "ROLLED_BACK" => Self::RolledBack,
            "SUPERSEDED" => Self::Superseded,
            "TERMINATED" => Self::Terminated,
            _ => Self::Unknown,
        }
    }

    /// Returns `true` if the agreement continues in another.
    pub fn continues(self) -> bool {
        self != Self::Active && self.end_reason().is_none()
    }

    /// Returns the reason why a license with such an agreement has ended; `None` if this status is no ending.
    ///
    /// An agreement that was renewed, replaced, superseded or rolled back continues in another.
    pub fn end_reason(self) -> Option<EndReason> {
        match self {
            Self::Active | Self::Renewed | Self::Replaced | Self::Superseded | Self::RolledBack => None,
            Self::Cancelled => Some(EndReason::Cancelled),
            Self::Expired => Some(EndReason::Expired),
            Self::Terminated => Some(EndReason::Terminated),
            Self::Archived | Self::Unknown => Some(EndReason::AgreementEnded),
        }
    }
}

/// An event about an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementEvent {
    /// The agreement.
    pub agreement: AgreementId,
    /// The position of the event among others.
    pub stamp: EventStamp,
    /// The status of the agreement after the event.
    pub status: AgreementStatus,
    /// The agreement that this one renews or replaces.
    pub previous: Option<AgreementId>,
    /// The time at which it starts, if the event names it.
    pub starts_at: Option<Timestamp>,
}

/// An observation of an agreement: what AWS showed when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementObservation {
    /// The agreement.
    pub agreement: AgreementId,
    /// The observed status.
    pub observed: ObservedStatus,
    /// The agreement that it renews or replaces, as their chain shows.
    pub previous: Option<AgreementId>,
    /// The time at which it started or will start.
    pub starts_at: Option<Timestamp>,
}

impl Agreement {
    /// Creates an agreement of which nothing is known but its id.
    pub fn new(id: AgreementId) -> Self {
        let (reported, observed, previous, starts_at) = (None, None, None, None);
        Self {
            id,
            reported,
            observed,
            advisory: Advisory::default(),
            previous,
            starts_at,
            next: BTreeSet::new(),
            version: 0,
        }
    }

    /// Applies an event. The newest status wins, and of two at the same time the ending one; an older event does not
    /// change the status.
    pub fn apply(&mut self, event: &AgreementEvent) {
        let given = ReportedStatus { stamp: event.stamp.clone(), status: event.status };
        if self.reported.as_ref().is_none_or(|known| known.is_older_than(&given)) {
            self.reported = Some(given);
        }
        // An event takes precedence over what an observation found in the chain.
        self.previous = event.previous.clone().or_else(|| self.previous.take());
        if let Some(start) = event.starts_at {
            self.apply_start(start);
        }
    }

    /// Applies an observation. The newest observation counts; the previous agreement is set only if it was not known.
    pub fn observe(&mut self, observation: &AgreementObservation) {
        self.observed = self.observed.take().max(Some(observation.observed.clone()));
        self.previous = self.previous.take().or_else(|| observation.previous.clone());
        if let Some(start) = observation.starts_at {
            self.apply_start(start);
        }
    }

    /// Returns the moment at which it ended, from any source; `None` if it has not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let (status, at) = effective_status(self.reported.as_ref(), self.observed.as_ref())?;
        status.end_reason().map(|_| at)
    }

    /// Sets the start. An amendment may name its own start, so the earliest one counts.
    pub fn apply_start(&mut self, start: Timestamp) {
        self.starts_at = Some(self.starts_at.map_or(start, |known| known.min(start)));
    }

    /// Records that another agreement names this one as its previous.
    pub fn apply_successor(&mut self, next: &AgreementId) {
        self.next.insert(next.clone());
    }
}

impl ReportedStatus {
    /// Returns `true` if `other` counts of the two: by time first, then an ending over a running status, then the
    /// event's id. Of the same event the first report counts, since it was confirmed with AWS.
    pub fn is_older_than(&self, other: &Self) -> bool {
        if self.stamp == other.stamp {
            return false;
        }
        let rank = |reported: &Self| (reported.stamp.at, reported.status != AgreementStatus::Active, reported.status);
        (rank(self), &self.stamp.event) < (rank(other), &other.stamp.event)
    }
}
