//! An agreement, as far as a license depends on it.
//!
//! Agreement events name no license and mostly no product, so what they say is kept by agreement, and each license
//! takes it from there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::AgreementId;
use crate::license::{EndReason, EventStamp};

/// What is known of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Its id.
    pub id: AgreementId,
    /// What its newest event left it as; none if it is known only from another's event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Standing>,
    /// What the newest look at AWS found that its events did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<ObservedStatus>,
    /// What AWS has advised about the buyer's account.
    #[serde(default, skip_serializing_if = "Advisory::is_none")]
    pub advisory: Advisory,
    /// The agreement that it renewed or replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<AgreementId>,
    /// When it began or begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// The agreements that renewed or replaced it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub next: BTreeSet<AgreementId>,
    /// Counts the writes of the row; a write holds only if it is the next one.
    #[serde(default)]
    pub version: u64,
}

/// What an event left an agreement as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The event's place among others.
    pub stamp: EventStamp,
    /// The status.
    pub status: AgreementStatus,
}

/// What a look at AWS found an agreement to be, where no event had said so.
///
/// It is weaker than an event: see [`standing_of`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservedStatus {
    /// When AWS was asked.
    pub looked_at: Timestamp,
    /// The status.
    pub status: AgreementStatus,
    /// Since when it has that status at the latest: the moment by which AWS shows it to be over, or of the look.
    pub at: Timestamp,
}

/// For how long AWS may still show an agreement as active after it has told that it ended.
pub const AWS_HAS_CAUGHT_UP: SignedDuration = SignedDuration::from_mins(15);

/// As what an agreement counts, and since when, from its newest event and the newest look at AWS.
///
/// An ending that was only seen counts until the event of it arrives, which knows the exact time. That AWS shows it as
/// active lifts an ending only where AWS has had the time to catch up with its own event.
pub fn standing_of(newest: Option<&Standing>, seen: Option<&ObservedStatus>) -> Option<(AgreementStatus, Timestamp)> {
    let given = newest.map(|standing| (standing.status, standing.stamp.at));
    let Some(seen) = seen else { return given };
    let Some((status, at)) = given else { return Some((seen.status, seen.at)) };
    let counts = match (status.end_reason(), seen.status.end_reason()) {
        (None, Some(_)) => seen.at >= at,
        (Some(_), None) => seen.at.duration_since(at) >= AWS_HAS_CAUGHT_UP,
        (None, None) | (Some(_), Some(_)) => false,
    };
    Some(if counts { (seen.status, seen.at) } else { (status, at) })
}

/// A risk that AWS saw on a buyer's account (closure, compromise, fraud): the newest word that it issued one and the
/// newest that it is resolved. What to do about access is the seller's decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// When the newest was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// When the newest that was resolved was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
}

impl Advisory {
    /// Whether nothing was ever advised.
    pub fn is_none(&self) -> bool {
        self.issued_at.is_none() && self.resolved_at.is_none()
    }

    /// Takes in what is known elsewhere: of each kind the newest counts, in whatever order it comes.
    pub fn apply(&mut self, other: &Self) {
        self.issued_at = self.issued_at.max(other.issued_at);
        self.resolved_at = self.resolved_at.max(other.resolved_at);
    }

    /// Since when it stands; none if there is none, or if it was resolved since.
    pub fn since(&self) -> Option<Timestamp> {
        self.issued_at.filter(|issued| self.resolved_at.is_none_or(|resolved| resolved < *issued))
    }
}

/// The status of an agreement, in the Agreement API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgreementStatus {
    /// In force, or accepted for a later date.
    Active,
    /// Ended and filed.
    Archived,
    /// Ended by the buyer or on request.
    Cancelled,
    /// Ran out.
    Expired,
    /// Followed by a renewal.
    Renewed,
    /// Followed by another agreement.
    Replaced,
    /// Taken back.
    RolledBack,
    /// Followed by an amendment.
    Superseded,
    /// Ended by AWS or the seller.
    Terminated,
    /// A status that did not exist when this was written.
    Unknown,
}

impl AgreementStatus {
    /// Reads AWS's word; a new one is [`AgreementStatus::Unknown`].
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

    /// Whether the agreement goes on in another.
    pub fn goes_on(self) -> bool {
        self != Self::Active && self.end_reason().is_none()
    }

    /// Why a license with such an agreement is over; none if this status is no ending.
    ///
    /// An agreement that was renewed, replaced, superseded or rolled back goes on in another.
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
    /// Its place among others.
    pub stamp: EventStamp,
    /// What it left the agreement as.
    pub status: AgreementStatus,
    /// The agreement that this one renews or replaces.
    pub previous: Option<AgreementId>,
    /// When it begins, where the event says so.
    pub starts_at: Option<Timestamp>,
}

/// What AWS showed of an agreement when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementLook {
    /// The agreement.
    pub agreement: AgreementId,
    /// What it was found to be.
    pub seen: ObservedStatus,
    /// The agreement that it renews or replaces, as their chain shows.
    pub previous: Option<AgreementId>,
    /// When it began or begins.
    pub starts_at: Option<Timestamp>,
}

impl Agreement {
    /// An agreement that nothing is known of but its id.
    pub fn new(id: AgreementId) -> Self {
        let (newest, seen, previous, starts_at) = (None, None, None, None);
        Self { id, newest, seen, advisory: Advisory::default(), previous, starts_at, next: BTreeSet::new(), version: 0 }
    }

    /// Takes in an event: the newest standing wins, of two at the same time the ending one; an older one changes
    /// nothing but what was not known.
    pub fn apply(&mut self, event: &AgreementEvent) {
        let given = Standing { stamp: event.stamp.clone(), status: event.status };
        if self.newest.as_ref().is_none_or(|known| known.is_older_than(&given)) {
            self.newest = Some(given);
        }
        // What an event names is more than what a look at AWS made of the chain.
        self.previous = event.previous.clone().or_else(|| self.previous.take());
        if let Some(start) = event.starts_at {
            self.know_start(start);
        }
    }

    /// Takes in what AWS showed: the newest look counts, and of the rest what was not known.
    pub fn see(&mut self, look: &AgreementLook) {
        self.seen = self.seen.take().max(Some(look.seen.clone()));
        self.previous = self.previous.take().or_else(|| look.previous.clone());
        if let Some(start) = look.starts_at {
            self.know_start(start);
        }
    }

    /// The moment at which it ended, as far as anything says so; none while it has not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let (status, at) = standing_of(self.newest.as_ref(), self.seen.as_ref())?;
        status.end_reason().map(|_| at)
    }

    /// Takes in when it began. An amendment may name its own beginning, so the earliest counts.
    pub fn know_start(&mut self, start: Timestamp) {
        self.starts_at = Some(self.starts_at.map_or(start, |known| known.min(start)));
    }

    /// Takes in that another agreement names this one as its previous.
    pub fn apply_successor(&mut self, next: &AgreementId) {
        self.next.insert(next.clone());
    }
}

impl Standing {
    /// Whether `other` is what counts of the two: time first, then ending over running, then the event's id. Of the
    /// same event the first word counts, since that was confirmed at AWS.
    pub fn is_older_than(&self, other: &Self) -> bool {
        if self.stamp == other.stamp {
            return false;
        }
        let rank = |standing: &Self| (standing.stamp.at, standing.status != AgreementStatus::Active, standing.status);
        (rank(self), &self.stamp.event) < (rank(other), &other.stamp.event)
    }
}
