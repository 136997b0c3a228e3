//! A license and its lifecycle.
//!
//! A license is what an agreement grants for one product, and the key of everything. Events of AWS arrive late, twice
//! and in any order. So the row keeps the newest event of each kind, and [`License::state_at`] is a pure function of
//! those events and the time: the same events give the same state in every order of arrival.
//!
//! A change has three steps: read the row, [apply](License::apply) an event to it, and pass the old and the new row to
//! [`transition`], which returns the events to publish. The store writes the row and those events in one transaction.

mod end_reason;
mod event_stamp;
mod history;
mod moving;
mod periods;
mod purchase;
mod state;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agreement::{Advisory, Agreement, ReportedStatus};
use crate::entitlement::Entitlement;
use crate::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use crate::registration::{EntryPoint, SecretHash};
use crate::time::UsageHour;

pub use end_reason::EndReason;
pub use event_stamp::EventStamp;
pub use history::{AgreementHistory, AgreementRef, EventHistory, LicenseEvent, ObservedInForce, Succession};
pub use moving::{Key, Moving, Return};
pub use periods::{FINAL_REPORTING_PERIOD, INTAKE_PROPAGATION_TIME};
pub use purchase::{Purchase, Resolved};
pub use state::transition;

use history::set_newest;

/// A license: what an agreement grants for one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// The id of the license.
    pub id: LicenseId,
    /// The product that it is for.
    pub product: ProductCode,
    /// The ARN, in the form that AWS accepts once it is known. Until then it may be in the documented form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<LicenseArn>,
    /// The buyer's AWS account; `None` for a legacy buyer who has not registered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The buyer's key in a legacy product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerIdentifier>,
    /// The agreement that the buyer's registration named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_agreement: Option<AgreementId>,
    /// The newest events of each kind.
    #[serde(default)]
    pub history: EventHistory,
    /// The state when the row was written; [`License::state_at`] returns the state now.
    pub state: State,
    /// The tenant: the account in the seller's application that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The time at which a buyer first arrived with a registration token for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// The page of the application that its buyer last chose, before it belonged to a tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<EntryPoint>,
    /// The session of the last visitor who came with its token when it belonged to a tenant already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<SecretHash>,
    /// `true` if AWS reported that it started as a free trial.
    #[serde(default)]
    pub free_trial: bool,
    /// The entitlements, as last read from AWS.
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// The time at which the read that gave `entitlements` started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements_read_at: Option<Timestamp>,
    /// The last hour that is closed for usage reported from now on: an ending has summed the hours up to it, or will.
    /// The value stays when the license is active again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_through: Option<UsageHour>,
    /// The time at which an ending that closed hours was last written. For [`INTAKE_PROPAGATION_TIME`] after it, an instance
    /// of the usage function that caches the license from before may still accept usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_at: Option<Timestamp>,
    /// The time at which the reporter must process it: sum what is left and close it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_at: Option<Timestamp>,
    /// The first hour whose usage is billed under it. Earlier usage was billed under the key that it had then, or by
    /// the system that the seller had before Stallkeeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered_from: Option<UsageHour>,
    /// The move to a license key, for a listing that moves from customer keys to license keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
    /// The time at which it expires, in seconds since 1970 (TTL). Only a probe has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The license that it took over from, at a renewal or replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<LicenseId>,
    /// The number of events about it, so that a receiver notices a gap.
    #[serde(default)]
    pub sequence: u64,
    /// The number of writes of the row; a write holds only if it is the next one.
    #[serde(default)]
    pub version: u64,
}

/// The state of a license in its lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum State {
    /// Known, not active yet.
    Pending,
    /// AWS could not take the buyer's payment; a later success makes it active.
    Failed,
    /// In force.
    Active,
    /// Ended; usage up to `usage_until` may still be reported for 60 minutes.
    Ending {
        /// The moment after which usage is no longer the license's.
        usage_until: Timestamp,
    },
    /// Ended and closed.
    Ended {
        /// The reason.
        reason: EndReason,
    },
}

impl State {
    /// Returns the state's name in the API and in the index.
    pub fn name(&self) -> StateName {
        match self {
            Self::Pending => StateName::Pending,
            Self::Failed => StateName::Failed,
            Self::Active => StateName::Active,
            Self::Ending { .. } => StateName::Ending,
            Self::Ended { .. } => StateName::Ended,
        }
    }

    /// Returns `true` if the license has ended, though AWS may still accept its usage.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Ending { .. } | Self::Ended { .. })
    }
}

/// The state of a license. `pending`: not in force yet. `failed`: the buyer's payment failed. `active`: in force.
/// `ending`: cancelled, while AWS still accepts its usage for a time. `ended`: no longer in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LicenseState)]
pub enum StateName {
    /// See [`State::Pending`].
    Pending,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Active`].
    Active,
    /// See [`State::Ending`].
    Ending,
    /// See [`State::Ended`].
    Ended,
}

impl StateName {
    /// Every state, in the order of a license's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Failed, Self::Active, Self::Ending, Self::Ended];

    /// Returns the name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

impl License {
    /// Creates a license of which nothing is known but its id and product.
    pub fn new(id: LicenseId, product: ProductCode) -> Self {
        Self {
            id,
            product,
            arn: None,
            account: None,
            customer: None,
            registered_agreement: None,
            history: EventHistory::default(),
            state: State::Pending,
            tenant: None,
            registered_at: None,
            entry_point: None,
            returned: None,
            free_trial: false,
            entitlements: Vec::new(),
            entitlements_read_at: None,
            sealed_through: None,
            sealed_at: None,
            flush_at: None,
            metered_from: None,
            moving: None,
            expires_at: None,
            predecessor: None,
            sequence: 0,
            version: 0,
        }
    }

    /// Applies an event. An event that was applied before, or is older than another of its kind, changes nothing.
    pub fn apply(&mut self, event: LicenseEvent) {
        let history = &mut self.history;
        match event {
            LicenseEvent::Updated(agreement_ref) => {
                history.set_first_active(agreement_ref.stamp.at);
                set_newest(&mut history.updated, agreement_ref);
            }
            LicenseEvent::Deprovisioned(agreement_ref) => {
                let known =
                    history.deprovisioned.entry(agreement_ref.agreement).or_insert_with(|| agreement_ref.stamp.clone());
                *known = known.clone().max(agreement_ref.stamp);
            }
            LicenseEvent::Subscribed { stamp, free_trial } => {
                self.free_trial |= free_trial;
                history.set_first_active(stamp.at);
                set_newest(&mut history.subscribed, stamp);
            }
            LicenseEvent::SubscribeFailed(stamp) => set_newest(&mut history.failed, stamp),
            LicenseEvent::Unsubscribing(stamp) => set_newest(&mut history.unsubscribing, stamp),
            LicenseEvent::Unsubscribed(stamp) => set_newest(&mut history.unsubscribed, stamp),
            LicenseEvent::ObservedInForce(observed) => {
                history.first_observed =
                    Some(history.first_observed.map_or(observed.at, |first| first.min(observed.at)));
                history.observed = Some(match history.observed.take() {
                    Some(known) => known.or_newer(observed),
                    None => observed,
                });
            }
        }
        self.follow_only_current_agreement();
    }

    /// Applies a buyer's registration. The data from events is left as it is.
    pub fn register(&mut self, purchase: &Purchase, now: Timestamp) {
        self.complete_buyer(Some(&purchase.account), purchase.arn.as_ref());
        self.customer = self.customer.take().or_else(|| purchase.customer.clone());
        self.registered_agreement = self.registered_agreement.take().or_else(|| purchase.agreement.clone());
        self.registered_at.get_or_insert(now);
        self.follow_only_current_agreement();
    }

    /// Sets the account and the ARN, if they were not known. A given ARN replaces one in a form that AWS does not
    /// accept.
    pub fn complete_buyer(&mut self, account: Option<&AccountId>, arn: Option<&LicenseArn>) {
        self.account = self.account.take().or_else(|| account.cloned());
        if !self.arn.as_ref().is_some_and(LicenseArn::is_sendable) {
            self.arn = arn.cloned().or_else(|| self.arn.take());
        }
    }

    /// Returns the agreement that the license follows: the one by which it was observed in force, while that
    /// observation counts; else the one that the newest `License Updated` named, else the newest `License
    /// Deprovisioned`, else the registration. A legacy license follows none: it has only events from SNS.
    pub fn agreement(&self) -> Option<&AgreementId> {
        if self.customer.is_some() {
            return None;
        }
        let observed = self.observed_in_force().and_then(|observed| observed.agreement.as_ref());
        let updated = self.history.updated.as_ref().map(|agreement_ref| &agreement_ref.agreement);
        let deprovisioned =
            || self.history.deprovisioned.iter().max_by_key(|(_, stamp)| *stamp).map(|(agreement, _)| agreement);
        observed.or(updated).or_else(deprovisioned).or(self.registered_agreement.as_ref())
    }

    /// Applies what is known of an agreement. Of an agreement that the license does not follow, only the advisories
    /// about its buyer are applied.
    pub fn follow(&mut self, agreement: &Agreement) {
        if !agreement.advisory.is_none() {
            self.history.advisories.entry(agreement.id.clone()).or_default().apply(&agreement.advisory);
        }
        let has_status = agreement.reported.is_some() || agreement.observed.is_some();
        if !has_status || self.agreement() != Some(&agreement.id) {
            return;
        }
        let known = self.history.agreement.take().filter(|known| known.agreement == agreement.id);
        let (reported, observed) = known.map_or((None, None), |known| (known.reported, known.observed));
        let is_newer = |reported_status: &&ReportedStatus| {
            reported.as_ref().is_none_or(|known| known.is_older_than(reported_status))
        };
        self.history.agreement = Some(AgreementHistory {
            agreement: agreement.id.clone(),
            observed: observed.max(agreement.observed.clone()),
            reported: agreement.reported.as_ref().filter(is_newer).cloned().or(reported),
        });
    }

    /// Returns the time at which the license was first in force, from any source.
    pub fn first_active(&self) -> Option<Timestamp> {
        // Includes observations that an event has corrected since: what was billed since an observation stays billed.
        self.history.first_active.into_iter().chain(self.history.first_observed).min()
    }

    /// Returns the time from which its usage is billed under it, as far as it was in force.
    pub fn metered_since(&self) -> Option<Timestamp> {
        let first = self.first_active()?;
        Some(self.metered_from.map_or(first, |from| first.max(from.start())))
    }

    /// Returns the time at which the license was first in force, for the license that it took over from, and `true` if
    /// no event reports it. In that case the start of its agreement counts: usage of this license must not be billed
    /// under the older one.
    pub fn first_in_force(&self) -> Option<(Timestamp, bool)> {
        let observed = || self.observed_in_force().map(|observed| (observed.starts_at.unwrap_or(observed.at), true));
        self.history.first_active.map(|at| (at, false)).or_else(observed)
    }

    /// Returns the time since which AWS advises of a risk on the buyer's account; `None` if it does not. The state does
    /// not depend on it.
    pub fn advisory_since(&self) -> Option<Timestamp> {
        self.history.advisories.values().filter_map(Advisory::since).min()
    }

    /// Returns the observation that it was in force, as long as no event supersedes it.
    pub fn observed_in_force(&self) -> Option<&ObservedInForce> {
        let history = &self.history;
        history.observed.as_ref().filter(|observed| match (&history.updated, &history.subscribed) {
            (None, None) => true,
            (Some(updated), None) => {
                observed.agreement.as_ref() != Some(&updated.agreement) && observed.starts_at > Some(updated.stamp.at)
            }
            (_, Some(_)) => false,
        })
    }

    /// Records that another license took over. A dated succession counts before an undated one, and then the earliest.
    pub fn succeed(&mut self, succession: Succession) {
        let earliest = match self.history.succeeded.take() {
            Some(known) => known.min(succession),
            None => succession,
        };
        self.history.succeeded = Some(earliest);
    }

    /// Returns the license that took over from this one.
    pub fn successor(&self) -> Option<&LicenseId> {
        self.history.succeeded.as_ref().map(|succession| &succession.by)
    }

    /// Forgets what is known of an agreement that it no longer follows.
    fn follow_only_current_agreement(&mut self) {
        let current = self.agreement().cloned();
        if self.history.agreement.as_ref().map(|known| &known.agreement) != current.as_ref() {
            self.history.agreement = None;
        }
    }
}

#[cfg(test)]
#[path = "license_tests.rs"]
mod tests;
