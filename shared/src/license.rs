//! A license and its life.
//!
//! A license is what an agreement grants for one product, and the key of everything. What AWS says about it arrives
//! late, twice and in any order, so the row keeps the newest event of each kind and [`License::state_at`] is a pure
//! function of those and the time: whatever the order of arrival, the same events give the same state.
//!
//! Changes go one way: take the row, let it [hear](License::hear) something, and hand both to [`told`], which says
//! what the world must be told. The store writes the row and those events in one transaction.

mod state;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agreement::{Advisory, Agreement, AgreementStatus, SeenStanding, Standing, standing_of};
use crate::entitlement::Entitlement;
use crate::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use crate::listing::Mode;
use crate::registration::SecretHash;
use crate::time::UsageHour;

pub use state::told;

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
}

/// A state without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// Why a license is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// The newest that AWS said about a license, one place a kind of event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The newest `License Updated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Naming>,
    /// The time of the oldest activating event: when the license first was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_active: Option<Timestamp>,
    /// The newest `License Deprovisioned` of each agreement: that of an older one must not hide that of a newer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deprovisioned: BTreeMap<AgreementId, Mark>,
    /// The newest of the agreement that the license follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementNews>,
    /// The newest `subscribe-success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribed: Option<Mark>,
    /// The newest `subscribe-fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Mark>,
    /// The newest `unsubscribe-pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribing: Option<Mark>,
    /// The newest `unsubscribe-success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribed: Option<Mark>,
    /// The license of the next agreement, where AWS made a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<Succession>,
    /// That AWS showed it in force when it was asked, where no event had said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenInForce>,
    /// When it was first seen so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// What AWS has advised about the buyer's account, by agreement. It changes no state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub advisories: BTreeMap<AgreementId, Advisory>,
}

impl News {
    fn keep_first(&mut self, at: Timestamp) {
        self.first_active = Some(self.first_active.map_or(at, |first| first.min(at)));
    }
}

/// What places an event among others of its kind: its time at AWS, and its id where two have the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// When AWS says that it happened.
    pub at: Timestamp,
    /// The event's own id.
    pub event: String,
}

/// A license event, with the agreement that it named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Naming {
    /// Its place among others.
    pub mark: Mark,
    /// The agreement.
    pub agreement: AgreementId,
}

/// That AWS showed a license in force when it was asked.
///
/// It is weaker than an event, which knows the moment: it lifts no ending of its own agreement, and counts for nothing
/// as soon as an activating event of that agreement or of a later one is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenInForce {
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
pub struct AgreementNews {
    /// The agreement.
    pub agreement: AgreementId,
    /// What its newest event left it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// What the newest look at AWS found that its events did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenStanding>,
}

impl AgreementNews {
    /// As what the agreement counts, and since when.
    pub fn standing(&self) -> Option<(AgreementStatus, Timestamp)> {
        standing_of(self.standing.as_ref(), self.seen.as_ref())
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

/// The move of a buyer from a customer key to a license key.
///
/// Usage before the hour is billed under the customer key, usage from then on under the license, and none under both:
/// AWS would bill that twice (BatchMeterUsage, `ProductCode`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// The license that it becomes.
    pub arn: LicenseArn,
    /// The agreement of that license.
    pub agreement: AgreementId,
    /// The buyer's account.
    pub account: AccountId,
    /// The first hour that is billed under the license.
    pub at: UsageHour,
    /// When it was done; none as long as it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

/// Under which of a moving buyer's two keys usage is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Under the customer key.
    Customer,
    /// Under the license.
    License,
    /// Under the license, unless it is known under the customer key already.
    LicenseUnlessKnown,
    /// Not now: what is written under the customer key may not all be there yet.
    NotNow,
}

impl Moving {
    /// Under which key usage of that time is taken in at a moment.
    ///
    /// What was before the hour of the move goes by the customer key as long as that takes usage. Then its hours are
    /// summed, and what comes later is billed under the license; but the same usage may have come before.
    pub fn key_of(&self, time: Timestamp, now: Timestamp) -> Key {
        if time >= self.at.start() {
            return Key::License;
        }
        match self.done_at {
            Some(done) if now.duration_since(done) >= INTAKE_HAS_SEEN => Key::LicenseUnlessKnown,
            Some(_) => Key::NotNow,
            None if now < self.at.start() || now < UsageHour::of(time).open_until() => Key::Customer,
            None => Key::NotNow,
        }
    }
}

/// What AWS says about one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LicenseEvent {
    /// `License Updated`: provisioned or changed.
    Updated(Naming),
    /// `License Deprovisioned`: revoked.
    Deprovisioned(Naming),
    /// `subscribe-success`.
    Subscribed {
        /// Its place among others.
        mark: Mark,
        /// Whether the offer has a free trial.
        free_trial: bool,
    },
    /// `subscribe-fail`.
    SubscribeFailed(Mark),
    /// `unsubscribe-pending`.
    Unsubscribing(Mark),
    /// `unsubscribe-success`.
    Unsubscribed(Mark),
    /// No event: AWS showed the license in force when it was asked.
    SeenInForce(SeenInForce),
}

/// What AWS resolved a registration token to. Products in the middle of their move to license keys have both keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The product.
    pub product: ProductCode,
    /// The buyer's account.
    pub account: AccountId,
    /// The license's ARN.
    pub arn: Option<LicenseArn>,
    /// The buyer's key in a legacy product.
    pub customer: Option<CustomerIdentifier>,
    /// The agreement, where AWS named it.
    pub agreement: Option<AgreementId>,
}

impl Resolved {
    /// The purchase in the style of its listing, which alone keys it; none if AWS did not name that key.
    pub fn purchase(self, mode: Mode) -> Option<Purchase> {
        let Self { product, account, arn, customer, agreement } = self;
        match mode {
            Mode::License => {
                let arn = arn?;
                Some(Purchase {
                    license: arn.id().clone(),
                    product,
                    account,
                    arn: Some(arn),
                    customer: None,
                    agreement,
                })
            }
            Mode::Customer => {
                let customer = customer?;
                let license = LicenseId::legacy(&product, &customer);
                Some(Purchase { license, product, account, arn: None, customer: Some(customer), agreement })
            }
        }
    }
}

/// A purchase that a registration token proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The license.
    pub license: LicenseId,
    /// The product.
    pub product: ProductCode,
    /// The buyer's account.
    pub account: AccountId,
    /// The license's ARN, for products of the newer kind.
    pub arn: Option<LicenseArn>,
    /// The buyer's key, for products of the older kind.
    pub customer: Option<CustomerIdentifier>,
    /// The agreement, where AWS named it.
    pub agreement: Option<AgreementId>,
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
            returned: None,
            free_trial: false,
            entitlements: Vec::new(),
            entitlements_read_at: None,
            sealed_through: None,
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

impl SeenInForce {
    /// That of the later agreement; of the same one, the earlier look.
    fn or_newer(self, other: Self) -> Self {
        let of = |seen: &Self| (seen.starts_at, seen.agreement.clone(), Reverse(seen.at));
        if of(&self) < of(&other) { other } else { self }
    }
}

fn keep_newest<T: Ord>(known: &mut Option<T>, heard: T) {
    if known.as_ref().is_none_or(|known| *known < heard) {
        *known = Some(heard);
    }
}

#[cfg(test)]
#[path = "license_tests.rs"]
mod tests;
