//! A license and its life.
//!
//! A license is what an agreement grants for one product, and the key of everything. What AWS says about it arrives
//! late, twice and in any order, so the row keeps the newest event of each kind and [`License::state_at`] is a pure
//! function of those and the time: whatever the order of arrival, the same events give the same state.
//!
//! Changes go one way: take the row, let it [hear](License::hear) something, and hand both to [`told`], which says
//! what the world must be told. The store writes the row and those events in one transaction.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agreement::{Agreement, Standing};
use crate::entitlement::Entitlement;
use crate::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode, TenantId};
use crate::listing::Mode;
use crate::notification::Told;
use crate::time::UsageHour;

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

/// What is known of the agreement that a license follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementNews {
    /// The agreement.
    pub agreement: AgreementId,
    /// What its newest event left it as.
    pub standing: Standing,
}

/// That another license took over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Succession {
    /// When the other first was in force.
    pub at: Timestamp,
    /// The other.
    pub by: LicenseId,
    /// The agreement of this license that the other's took over from.
    pub from: AgreementId,
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
            free_trial: false,
            entitlements: Vec::new(),
            entitlements_read_at: None,
            sealed_through: None,
            flush_at: None,
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
                self.follow_only_current_agreement();
            }
            LicenseEvent::Deprovisioned(naming) => {
                let known = news.deprovisioned.entry(naming.agreement).or_insert_with(|| naming.mark.clone());
                *known = known.clone().max(naming.mark);
                self.follow_only_current_agreement();
            }
            LicenseEvent::Subscribed { mark, free_trial } => {
                self.free_trial |= free_trial;
                news.keep_first(mark.at);
                keep_newest(&mut news.subscribed, mark);
            }
            LicenseEvent::SubscribeFailed(mark) => keep_newest(&mut news.failed, mark),
            LicenseEvent::Unsubscribing(mark) => keep_newest(&mut news.unsubscribing, mark),
            LicenseEvent::Unsubscribed(mark) => keep_newest(&mut news.unsubscribed, mark),
        }
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
        let updated = self.news.updated.as_ref().map(|naming| &naming.agreement);
        let deprovisioned =
            || self.news.deprovisioned.iter().max_by_key(|(_, mark)| *mark).map(|(agreement, _)| agreement);
        updated.or_else(deprovisioned).or(self.registered_agreement.as_ref())
    }

    /// Takes in what is known of an agreement; of one that the license does not follow, nothing.
    pub fn follow(&mut self, agreement: &Agreement) {
        let Some(standing) = agreement.newest.as_ref().filter(|_| self.agreement() == Some(&agreement.id)) else {
            return;
        };
        let known = self.news.agreement.as_ref().filter(|known| known.agreement == agreement.id);
        if known.is_none_or(|known| known.standing.is_older_than(standing)) {
            self.news.agreement = Some(AgreementNews { agreement: agreement.id.clone(), standing: standing.clone() });
        }
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

    /// The state at a moment, from the newest events alone.
    ///
    /// Active since the newest activating event. Over since the earliest ending that is not older than that: an
    /// ending wins over an activating event of the same time. Ending for 60 minutes, then Ended. A failed payment
    /// matters only to a license that never was active.
    pub fn state_at(&self, now: Timestamp) -> State {
        let endings = self.endings();
        let telling = endings.iter().max_by_key(|ending| precedence(ending.reason));
        match (self.active_since(), self.usage_until(), telling) {
            (active_since, Some(usage_until), Some(ending)) => {
                let closed = active_since.is_none()
                    || endings.iter().any(|ending| ending.closes)
                    || now.duration_since(usage_until) >= FINAL_REPORTING;
                if closed { State::Ended { reason: ending.reason } } else { State::Ending { usage_until } }
            }
            (Some(_), _, _) => State::Active,
            (None, _, _) if self.news.failed.is_some() => State::Failed,
            (None, _, _) => State::Pending,
        }
    }

    /// Whether the buyer may use the product at a moment.
    ///
    /// While a license is ending the buyer keeps access until AWS has revoked it (`License Deprovisioned`,
    /// `unsubscribe-success`), or until the hour is over.
    pub fn grants_access_at(&self, now: Timestamp) -> bool {
        match self.state_at(now) {
            State::Active => true,
            State::Ending { .. } => !self.endings().iter().any(|ending| ending.revokes),
            State::Pending | State::Failed | State::Ended { .. } => false,
        }
    }

    /// The moment after which usage is no longer the license's; none while it is not over.
    pub fn usage_until(&self) -> Option<Timestamp> {
        self.endings().iter().map(|ending| ending.at).min()
    }

    /// Since when the license is in force, or was before it ended.
    pub fn active_since(&self) -> Option<Timestamp> {
        let updated = self.news.updated.as_ref().map(|naming| naming.mark.at);
        updated.max(self.news.subscribed.as_ref().map(|mark| mark.at))
    }

    /// Every ending that the newest activating event did not lift.
    ///
    /// The end of an agreement that the license no longer follows means nothing to it.
    fn endings(&self) -> Vec<Ending> {
        let news = &self.news;
        let current = self.agreement();
        let deprovisioned = current.and_then(|current| news.deprovisioned.get(current));
        let agreement = news.agreement.as_ref().filter(|known| Some(&known.agreement) == current);
        let all = [
            deprovisioned.map(|mark| Ending::revoking(mark.at, EndReason::Deprovisioned)),
            agreement
                .and_then(|known| Some(Ending::announced(known.standing.mark.at, known.standing.status.end_reason()?))),
            news.unsubscribing.as_ref().map(|mark| Ending::announced(mark.at, EndReason::Unsubscribed)),
            news.unsubscribed.as_ref().map(|mark| Ending::closing(mark.at, EndReason::Unsubscribed)),
        ];
        let active_since = self.active_since();
        let lasting = all.into_iter().flatten().filter(|ending| Some(ending.at) >= active_since);
        // What took over for good is not lifted by later news of the same agreement.
        let succeeded = news.succeeded.as_ref().filter(|succession| Some(&succession.from) == current);
        lasting.chain(succeeded.map(|succession| Ending::revoking(succession.at, EndReason::Succeeded))).collect()
    }

    /// Forgets what it heard of an agreement that it no longer follows.
    fn follow_only_current_agreement(&mut self) {
        let current = self.agreement().cloned();
        if self.news.agreement.as_ref().map(|known| &known.agreement) != current.as_ref() {
            self.news.agreement = None;
        }
    }
}

/// One thing that AWS said by which a license is over.
struct Ending {
    at: Timestamp,
    reason: EndReason,
    /// Whether AWS takes no more usage from here on.
    closes: bool,
    /// Whether the buyer's access is over from here on, and not only when the hour is.
    revokes: bool,
}

impl Ending {
    fn announced(at: Timestamp, reason: EndReason) -> Self {
        Self { at, reason, closes: false, revokes: false }
    }

    fn revoking(at: Timestamp, reason: EndReason) -> Self {
        Self { at, reason, closes: false, revokes: true }
    }

    fn closing(at: Timestamp, reason: EndReason) -> Self {
        Self { at, reason, closes: true, revokes: true }
    }
}

/// Of several reasons for one ending, the one that tells most.
fn precedence(reason: EndReason) -> u8 {
    match reason {
        EndReason::AgreementEnded => 0,
        EndReason::Deprovisioned => 1,
        EndReason::Succeeded => 2,
        EndReason::Unsubscribed => 3,
        EndReason::Terminated => 4,
        EndReason::Expired => 5,
        EndReason::Cancelled => 6,
    }
}

fn keep_newest<T: Ord>(known: &mut Option<T>, heard: T) {
    if known.as_ref().is_none_or(|known| *known < heard) {
        *known = Some(heard);
    }
}

/// Brings `after` up to date with the time and says what the world must be told of the change from `before`.
///
/// Where a license is over now and was not, its hours are sealed and the reporter is called; where it is in force
/// again, the reporter is called off and the seal stays.
pub fn told(before: Option<&License>, after: &mut License, now: Timestamp) -> Vec<Told> {
    after.state = after.state_at(now);
    let state_before = before.map_or(State::Pending, |license| license.state.clone());
    match (&state_before, &after.state) {
        (State::Ending { .. } | State::Ended { .. }, State::Ending { .. } | State::Ended { .. }) => {}
        (_, State::Ending { .. } | State::Ended { .. }) => {
            after.sealed_through = after.sealed_through.max(after.usage_until().map(UsageHour::of));
            after.flush_at = now.checked_add(INTAKE_HAS_SEEN).ok();
        }
        (_, State::Pending | State::Failed | State::Active) => after.flush_at = None,
    }
    let mut told = Vec::new();
    if state_before.name() != after.state.name() {
        match &after.state {
            State::Pending => {}
            State::Failed => told.push(Told::LicenseFailed),
            State::Active => told.push(Told::LicenseActivated),
            State::Ending { usage_until } => told.push(Told::LicenseEnding { usage_until: *usage_until }),
            State::Ended { reason } => {
                told.push(Told::LicenseEnded { reason: *reason, successor: after.successor().cloned() });
            }
        }
    }
    let tenant_before = before.and_then(|license| license.tenant.as_ref());
    if let Some(tenant) = after.tenant.as_ref().filter(|tenant| Some(*tenant) != tenant_before) {
        told.push(Told::LicenseLinked { tenant: tenant.clone() });
    }
    let entitlements_before = before.map_or(&[][..], |license| &license.entitlements);
    if entitlements_before != after.entitlements {
        told.push(Told::EntitlementsChanged { entitlements: after.entitlements.clone() });
    }
    told
}

#[cfg(test)]
#[path = "license_tests.rs"]
mod tests;
