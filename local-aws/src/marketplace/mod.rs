//! AWS Marketplace: the purchases, and the events about them.
//!
//! `purchase` and `change` are the actions of buyers; `state` and `ledger` hold the records of AWS; `events` sends
//! events to the seller; `usage` receives the seller's usage records, and `bill` charges them. The later actions of AWS (to
//! provision, to revoke, to end the older of two agreements) are recorded immediately with the time at which they take
//! effect. So every answer depends on the clock alone, and nothing runs in the background. In particular nothing ends
//! or renews by itself when an end date passes: that needs a [`Change`] too.

mod bill;
mod change;
mod events;
mod ids;
mod ledger;
mod overview;
mod purchase;
mod rate;
mod scheduled_event;
mod state;
mod usage;
mod value;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::bail;
use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use marketplace_ids::{AccountId, AgreementId, ProductCode};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::behavior::{Behavior, Delays};
use crate::control_error::ControlError;
use crate::product::Product;
use rate::Rate;
use state::MarketplaceState;

pub use bill::{Bill, BillTotal, BilledAllocation, BilledRecord, BillingStyle};
pub use change::{Change, Changed};
pub use overview::{AgreementOverview, LicenseOverview, Overview};
pub use purchase::{Purchase, Purchased};
pub use scheduled_event::{MarketplaceEvent, ScheduledEvent};
pub use state::{AgreementStatus, EndStatus};
pub use value::DimensionValue;

pub(crate) use ids::IdGenerator;
pub(crate) use ledger::{Allocation, Buyer, Usage};
pub(crate) use state::{Agreement, Grant, License, Token};
pub(crate) use usage::{BookingResult, OutsideLicense};

/// The seller's account: the proposer of every agreement, and the caller of every service.
const SELLER: &str = "444455556666";

/// The most GetEntitlements requests per second for each account (AWS Marketplace developer guide,
/// entitlement-service-quotas).
const ENTITLEMENT_RATE: u32 = 20;

/// The most BatchMeterUsage requests per second for each account and region (the same, metering-service-quotas).
const METERING_RATE: u32 = 10;

/// AWS Marketplace, for buyers and the seller. Clones share it.
#[derive(Debug, Clone)]
pub struct Marketplace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    products: BTreeMap<ProductCode, Product>,
    behavior: RwLock<Behavior>,
    delays: Delays,
    event_sender: mpsc::UnboundedSender<ScheduledEvent>,
    seller: AccountId,
    ids: IdGenerator,
    entitlement_rate: Mutex<Rate>,
    metering_rate: Mutex<Rate>,
    empty_first_pages: AtomicUsize,
    state: Mutex<MarketplaceState>,
}

impl Marketplace {
    /// Opens a marketplace without purchases.
    ///
    /// # Errors
    ///
    /// Fails for two products with one product code.
    pub(super) fn open(
        clock: Clock,
        products: Vec<Product>,
        behavior: Behavior,
        delays: Delays,
        event_sender: mpsc::UnboundedSender<ScheduledEvent>,
        ids: IdGenerator,
    ) -> anyhow::Result<Self> {
        let mut by_product = BTreeMap::new();
        for product in products {
            let code = product.code.clone();
            if by_product.insert(code.clone(), product).is_some() {
                bail!("two products have the product code {code}");
            }
        }
        let full = |a_second| Mutex::new(Rate::full(a_second, clock.now(), Instant::now()));
        let (entitlement_rate, metering_rate) = (full(ENTITLEMENT_RATE), full(METERING_RATE));
        Ok(Self(Arc::new(Shared {
            clock,
            products: by_product,
            behavior: RwLock::new(behavior),
            delays,
            event_sender,
            seller: SELLER.parse()?,
            ids,
            entitlement_rate,
            metering_rate,
            empty_first_pages: AtomicUsize::new(0),
            state: Mutex::default(),
        })))
    }

    /// Returns the seller's account: the `account` of every event and the proposer of every agreement.
    pub fn seller(&self) -> &AccountId {
        &self.0.seller
    }

    /// Returns the products that can be bought, ordered by product code.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.0.products.values()
    }

    /// Returns the behavior that applies now.
    pub fn behavior(&self) -> Behavior {
        self.0.behavior.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the behavior that applies from now on. Existing records and scheduled events do not change.
    pub fn set_behavior(&self, behavior: Behavior) {
        *self.0.behavior.write().unwrap_or_else(PoisonError::into_inner) = behavior;
    }

    /// Makes every answer to GetEntitlements start with `pages` empty pages that have a NextToken, as AWS may do ("If
    /// the result contains an empty set of entitlements, NextToken might still be present", Entitlement Service API
    /// reference). The default is 0.
    pub fn set_empty_first_pages(&self, pages: usize) {
        self.0.empty_first_pages.store(pages, Ordering::SeqCst);
    }

    /// Returns the time of the last answer of GetEntitlements for a product.
    pub fn entitlements_read(&self, product: &ProductCode) -> Option<Timestamp> {
        self.state().entitlements_read.get(product).copied()
    }

    pub(crate) fn note_entitlements_read(&self, product: &ProductCode, at: Timestamp) {
        self.state().entitlements_read.insert(product.clone(), at);
    }

    /// Issues a new registration token for an agreement, as when the buyer selects "Set up your account" again.
    ///
    /// # Errors
    ///
    /// Fails for an agreement that is unknown or no longer active: AWS Marketplace lists only active ones.
    pub fn new_token(&self, agreement: &AgreementId) -> Result<String, ControlError> {
        let now = self.now();
        let mut state = self.state();
        let license = state.active(agreement)?.license.clone();
        Ok(self.issue_token(&mut state, agreement, &license, now))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns a new id for one answer.
    pub(super) fn request_id(&self) -> String {
        self.0.ids.uuid()
    }

    pub(super) fn product(&self, code: &str) -> Option<&Product> {
        self.0.products.values().find(|product| product.code.as_str() == code)
    }

    pub(super) fn empty_first_pages(&self) -> usize {
        self.0.empty_first_pages.load(Ordering::SeqCst)
    }

    /// Counts a GetEntitlements request, and returns `true` if the rate limit admits it.
    pub(super) fn admits_entitlement_request(&self) -> bool {
        self.admits(&self.0.entitlement_rate)
    }

    /// Counts a BatchMeterUsage request, and returns `true` if the rate limit admits it.
    pub(super) fn admits_metering_request(&self) -> bool {
        self.admits(&self.0.metering_rate)
    }

    fn admits(&self, rate: &Mutex<Rate>) -> bool {
        if !self.behavior().rate_limits {
            return true;
        }
        rate.lock().unwrap_or_else(PoisonError::into_inner).admit(self.now(), Instant::now())
    }

    pub(super) fn agreement(&self, id: &str) -> Option<Agreement> {
        self.state().agreements.iter().find(|agreement| agreement.id.as_str() == id).cloned()
    }

    /// Returns all agreements, oldest first.
    pub(super) fn agreements(&self) -> Vec<Agreement> {
        self.state().agreements.clone()
    }

    pub(super) fn license_of(&self, agreement: &Agreement) -> Option<License> {
        self.state().license(&agreement.license).cloned()
    }

    /// Returns the licenses of a product, oldest first.
    pub(super) fn licenses_of(&self, product: &ProductCode) -> Vec<License> {
        self.state().licenses.iter().filter(|license| license.product == *product).cloned().collect()
    }

    /// Returns the CustomerIdentifier of a token's buyer. A buyer with a license has one in addition, which is always
    /// the same.
    pub(super) fn customer_identifier(&self, token: &Token) -> String {
        match &token.customer {
            Some(customer) => customer.to_string(),
            None => self.0.ids.secondary_customer(&token.product, &token.account),
        }
    }

    /// Returns the content of a registration token.
    pub(super) fn token(&self, text: &str) -> Option<Token> {
        self.state().tokens.get(text).cloned()
    }

    /// Returns the time at which the license of an agreement is ready that is made or amended now.
    fn provisioned(&self, now: Timestamp) -> Timestamp {
        after(now, self.0.delays.provision)
    }

    fn state(&self) -> MutexGuard<'_, MarketplaceState> {
        // The state changes only after every check that can refuse the call, so a poisoned lock guards a consistent
        // state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a later time, or the last representable one if the sum is out of range.
fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}
