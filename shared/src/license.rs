//! A license and its life.
//!
//! A license is what an agreement grants for one product, and the key of everything. What AWS says about it arrives
//! late, twice and in any order, so the row keeps the newest event of each kind and [`License::state_at`] is a pure
//! function of those and the time: whatever the order of arrival, the same events give the same state.
//!
//! Changes go one way: take the row, let it [hear](License::hear) something, and hand both to [`told`], which says
//! what the world must be told. The store writes the row and those events in one transaction.

mod moving;
mod news;
mod purchase;
mod state;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agreement::{Advisory, Agreement, Standing};
use crate::entitlement::Entitlement;
use crate::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use crate::registration::{Door, SecretHash};
use crate::time::UsageHour;

pub use moving::{Key, Moving, Return};
pub use news::{AgreementNews, LicenseEvent, Mark, Naming, News, SeenInForce, Succession};
pub use purchase::{Purchase, Resolved};
pub use state::told;

use news::keep_newest;

/// For how long after an ending the last usage may be reported (AWS Marketplace user guide,
/// saas-eventbridge-integration).
pub const FINAL_REPORTING: SignedDuration = SignedDuration::from_mins(60);

/// From the moment that an ending is written down until every function that takes in usage must have seen it: they keep
/// a license for a minute, take 30 seconds at most, and the rest is margin.
pub const INTAKE_HAS_SEEN: SignedDuration = SignedDuration::from_mins(3);

/// What an agreement grants for one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Its key.
    pub id: LicenseId,
    /// The product that it is for.
    pub product: ProductCode,
    /// The ARN in the form that AWS takes back; a license heard of only in the documented form has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<LicenseArn>,
    /// The buyer's AWS account; a legacy buyer who has not registered yet has none.
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
    pub news: News,
    /// The state when the row was written; [`License::state_at`] tells the state now.
    pub state: State,
    /// The account in the seller's application that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// When a buyer first arrived with a registration token for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// Which door of the application its buyer last chose before it belonged to a tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<Door>,
    /// The visit of the last one who came with its token when it belonged to a tenant already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<SecretHash>,
    /// Whether AWS said that it began as a free trial.
    #[serde(default)]
    pub free_trial: bool,
    /// What it grants, as last read at AWS.
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// When the read that gave `entitlements` began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements_read_at: Option<Timestamp>,
    /// The hours up to this one are closed for usage reported from now on: an ending has summed them, or will. It
    /// stays when the license is active again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_through: Option<UsageHour>,
    /// When an ending was last written that closed hours. Until [`INTAKE_HAS_SEEN`] later an instance of intake that
    /// remembers the license from before may still take usage in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_at: Option<Timestamp>,
    /// When the reporter has to look at it: to sum what is left and to close it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_at: Option<Timestamp>,
    /// From which hour on its usage is billed under it. What was before was billed under the key that it had then, or
    /// by what the seller had before Stallkeeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered_from: Option<UsageHour>,
    /// The license that it becomes, of a listing that moves from customer keys to license keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
    /// When it is gone, in seconds since 1970 (TTL): of a probe alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The license that it took over from, at a renewal or replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<LicenseId>,
    /// Counts the events told about it, so that a listener sees a gap.
    #[serde(default)]
    pub sequence: u64,
    /// Counts the writes of the row; a write holds only if it is the next one.
    #[serde(default)]
    pub version: u64,
}

/// Where a license is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum State {
    /// Known, not active yet.
    Pending,
    /// AWS could not take the buyer's payment; a later success makes it active.
    Failed,
    /// In force.
    Active,
    /// Over; usage up to `usage_until` may still be reported for an hour.
    Ending {
        /// The moment after which usage is no longer the license's.
        usage_until: Timestamp,
    },
    /// Over and closed.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

impl State {
    /// The state's name as it stands in the API and in the index.
    pub fn name(&self) -> StateName {
        match self {
            Self::Pending => StateName::Pending,
            Self::Failed => StateName::Failed,
            Self::Active => StateName::Active,
            Self::Ending { .. } => StateName::Ending,
            Self::Ended { .. } => StateName::Ended,
        }
    }

    /// Returns `true` if the license has ended, though AWS may still take its usage.
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

    /// The name in the API.
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

/// The reason of the end of a license. `cancelled`, `expired` and `terminated`: so did its agreement.
/// `agreement_ended`: its agreement ended with a status that says no more. `deprovisioned`: AWS revoked the license.
/// `unsubscribed`: the buyer of a legacy product unsubscribed. `succeeded`: a renewal or replacement has a license of
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The agreement was cancelled.
    Cancelled,
    /// The agreement ran out.
    Expired,
    /// The agreement was terminated.
    Terminated,
    /// The agreement ended with a status that says no more.
    AgreementEnded,
    /// AWS revoked the license.
    Deprovisioned,
    /// The buyer of a legacy product unsubscribed.
    Unsubscribed,
    /// A renewal or replacement came with a license of its own.
    Succeeded,
}

impl License {
    /// A license that nothing is known of but its name.
    pub fn new(id: LicenseId, product: ProductCode) -> Self {
        Self {
            id,
            product,
            arn: None,
            account: None,
            customer: None,
            registered_agreement: None,
            news: News::default(),
            state: State::Pending,
            tenant: None,
            registered_at: None,
            door: None,
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

    /// Takes in an event. An event that was heard before, or is older than one of its kind, changes nothing.
    pub fn hear(&mut self, event: LicenseEvent) {
        let news = &mut self.news;
        match event {
            LicenseEvent::Updated(naming) => {
                news.keep_first(naming.mark.at);
                keep_newest(&mut news.updated, naming);
            }
            LicenseEvent::Deprovisioned(naming) => {
                let known = news.deprovisioned.entry(naming.agreement).or_insert_with(|| naming.mark.clone());
                *known = known.clone().max(naming.mark);
            }
            LicenseEvent::Subscribed { mark, free_trial } => {
                self.free_trial |= free_trial;
                news.keep_first(mark.at);
                keep_newest(&mut news.subscribed, mark);
            }
            LicenseEvent::SubscribeFailed(mark) => keep_newest(&mut news.failed, mark),
            LicenseEvent::Unsubscribing(mark) => keep_newest(&mut news.unsubscribing, mark),
            LicenseEvent::Unsubscribed(mark) => keep_newest(&mut news.unsubscribed, mark),
            LicenseEvent::SeenInForce(seen) => {
                news.first_seen = Some(news.first_seen.map_or(seen.at, |first| first.min(seen.at)));
                news.seen = Some(match news.seen.take() {
                    Some(known) => known.or_newer(seen),
                    None => seen,
                });
            }
        }
        self.follow_only_current_agreement();
    }

    /// Takes in a buyer's registration. What events wrote is left as it is.
    pub fn register(&mut self, purchase: &Purchase, now: Timestamp) {
        self.know_buyer(Some(&purchase.account), purchase.arn.as_ref());
        self.customer = self.customer.take().or_else(|| purchase.customer.clone());
        self.registered_agreement = self.registered_agreement.take().or_else(|| purchase.agreement.clone());
        self.registered_at.get_or_insert(now);
        self.follow_only_current_agreement();
    }

    /// Takes in who holds the license and its ARN, where they were not known; the form that AWS takes back wins.
    pub fn know_buyer(&mut self, account: Option<&AccountId>, arn: Option<&LicenseArn>) {
        self.account = self.account.take().or_else(|| account.cloned());
        if !self.arn.as_ref().is_some_and(LicenseArn::is_sendable) {
            self.arn = arn.cloned().or_else(|| self.arn.take());
        }
    }

    /// The agreement that the license follows: the one that the newest `License Updated` named, or else a
    /// `License Deprovisioned`, or else the registration. A legacy license follows none; its news is SNS alone.
    pub fn agreement(&self) -> Option<&AgreementId> {
        if self.customer.is_some() {
            return None;
        }
        let seen = self.seen_in_force().and_then(|seen| seen.agreement.as_ref());
        let updated = self.news.updated.as_ref().map(|naming| &naming.agreement);
        let deprovisioned =
            || self.news.deprovisioned.iter().max_by_key(|(_, mark)| *mark).map(|(agreement, _)| agreement);
        seen.or(updated).or_else(deprovisioned).or(self.registered_agreement.as_ref())
    }

    /// Takes in what is known of an agreement; of one that the license does not follow, nothing but what AWS has
    /// advised about its buyer.
    pub fn follow(&mut self, agreement: &Agreement) {
        if !agreement.advisory.is_none() {
            self.news.advisories.entry(agreement.id.clone()).or_default().hear(&agreement.advisory);
        }
        let says_something = agreement.newest.is_some() || agreement.seen.is_some();
        if !says_something || self.agreement() != Some(&agreement.id) {
            return;
        }
        let known = self.news.agreement.take().filter(|known| known.agreement == agreement.id);
        let (standing, seen) = known.map_or((None, None), |known| (known.standing, known.seen));
        let is_news = |heard: &&Standing| standing.as_ref().is_none_or(|known| known.is_older_than(heard));
        self.news.agreement = Some(AgreementNews {
            agreement: agreement.id.clone(),
            seen: seen.max(agreement.seen.clone()),
            standing: agreement.newest.as_ref().filter(is_news).cloned().or(standing),
        });
    }

    /// When the license first was in force, as far as anything says so.
    pub fn first_active(&self) -> Option<Timestamp> {
        // Also where an event knows better by now: what was billed since it was seen stays billed.
        self.news.first_active.into_iter().chain(self.news.first_seen).min()
    }

    /// From when on its usage is billed under it, as far as it was in force.
    pub fn metered_since(&self) -> Option<Timestamp> {
        let first = self.first_active()?;
        Some(self.metered_from.map_or(first, |from| first.max(from.start())))
    }

    /// When the license first was in force, for the one that it took over from; and whether no event says so. Then the
    /// beginning of its agreement is taken: the older one must not be billed for what is this one's.
    pub(crate) fn first_in_force(&self) -> Option<(Timestamp, bool)> {
        let seen = || self.seen_in_force().map(|seen| (seen.starts_at.unwrap_or(seen.at), true));
        self.news.first_active.map(|at| (at, false)).or_else(seen)
    }

    /// Since when AWS advises of a risk on the buyer's account; none if it does not. The state is not changed by it.
    pub fn advisory_since(&self) -> Option<Timestamp> {
        self.news.advisories.values().filter_map(Advisory::since).min()
    }

    /// That it was seen in force, as long as no event knows better.
    pub(crate) fn seen_in_force(&self) -> Option<&SeenInForce> {
        let news = &self.news;
        news.seen.as_ref().filter(|seen| match (&news.updated, &news.subscribed) {
            (None, None) => true,
            (Some(updated), None) => {
                seen.agreement.as_ref() != Some(&updated.agreement) && seen.starts_at > Some(updated.mark.at)
            }
            (_, Some(_)) => false,
        })
    }

    /// Takes in that another license took over; the earliest such word counts.
    pub fn succeed(&mut self, succession: Succession) {
        let earliest = match self.news.succeeded.take() {
            Some(known) => known.min(succession),
            None => succession,
        };
        self.news.succeeded = Some(earliest);
    }

    /// The license that took over from this one.
    pub fn successor(&self) -> Option<&LicenseId> {
        self.news.succeeded.as_ref().map(|succession| &succession.by)
    }

    /// Forgets what it heard of an agreement that it no longer follows.
    fn follow_only_current_agreement(&mut self) {
        let current = self.agreement().cloned();
        if self.news.agreement.as_ref().map(|known| &known.agreement) != current.as_ref() {
            self.news.agreement = None;
        }
    }
}

#[cfg(test)]
#[path = "license_tests.rs"]
mod tests;
