//! The metered usage: the buyers whose usage is accepted, and the first record of each key.
//!
//! Sources: Metering Service API reference, BatchMeterUsage and UsageRecordResult; for the final window AWS Marketplace
//! user guide, saas-eventbridge-integration.

use std::collections::hash_map;

use jiff::{SignedDuration, Timestamp};
use marketplace_ids::{AccountId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};

use super::ledger::{Buyer, Entry, LedgerKey, Usage};
use super::state::{License, MarketplaceState};
use super::{Marketplace, after};
use crate::behavior::{Behavior, FinalWindow, IdenticalRepeat, StartOfPurchaseHour, UsageOutsideLicense};
use crate::control_error::ControlError;
use crate::region::Region;

/// The time after the end in which usage is accepted.
const FINAL_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The result of booking a usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BookingResult {
    Success { id: String },
    Duplicate,
    NotSubscribed,
}

/// A usage is not within the activation period of its license.
#[derive(Debug)]
pub(crate) struct OutsideLicense;

/// The acceptance of a usage by a license now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Acceptance {
    /// The license is not ready yet, or its final window has ended.
    Closed,
    /// The license accepts usage, but none from the time of this usage.
    Outside,
    Accepted,
}

impl Marketplace {
    /// Books usages in a region, in their order. Books none of them if one makes the whole call fail. Of several usages
    /// with one key, the first counts.
    pub(crate) fn book(&self, region: &Region, usages: Vec<Usage>) -> Result<Vec<BookingResult>, OutsideLicense> {
        let (now, behavior) = (self.now(), self.behavior());
        let mut state = self.state();
        let acceptances: Vec<_> = usages.iter().map(|usage| state.acceptance(usage, now, &behavior)).collect();
        let fails = |(usage, (acceptance, _)): (&Usage, &(Acceptance, Option<LicenseId>))| {
            matches!(usage.buyer, Buyer::License { .. }) && *acceptance == Acceptance::Outside
        };
        match behavior.usage_outside_license {
            UsageOutsideLicense::InvalidLicense if usages.iter().zip(&acceptances).any(fails) => {
                return Err(OutsideLicense);
            }
            UsageOutsideLicense::InvalidLicense | UsageOutsideLicense::CustomerNotSubscribed => {}
        }
        let booked = usages.into_iter().zip(acceptances).map(|(usage, acceptance)| match acceptance {
            (Acceptance::Accepted, Some(license)) => {
                let Usage { buyer, dimension, at, quantity, allocations } = usage;
                let key = LedgerKey { region: region.clone(), buyer, dimension, hour: hour_of(at) };
                let entry = Entry { id: self.0.ids.uuid(), license, quantity, allocations };
                book_one(&mut state, key, entry, behavior.identical_repeat)
            }
            _ => BookingResult::NotSubscribed,
        });
        Ok(booked.collect())
    }

    /// Hides a metered dimension from the catalog, or publishes it again. BatchMeterUsage treats a hidden dimension as
    /// one that does not exist.
    ///
    /// # Errors
    ///
    /// Fails for an unknown product, and for a dimension that it does not meter.
    pub fn set_unpublished(
        &self,
        code: &ProductCode,
        dimension: &DimensionKey,
        unpublished: bool,
    ) -> Result<(), ControlError> {
        let product = self.0.products.get(code).ok_or_else(|| self.unknown(code))?;
        let metered = || product.dimensions.iter().filter(|dimension| dimension.is_metered());
        if !metered().any(|known| known.key == *dimension) {
            let known = metered().map(|dimension| dimension.key.as_str()).collect::<Vec<_>>().join(", ");
            return Err(ControlError::DimensionNotMetered { dimension: dimension.clone(), known });
        }
        let key = (code.clone(), dimension.clone());
        let mut state = self.state();
        if unpublished {
            state.unpublished.insert(key);
        } else {
            state.unpublished.remove(&key);
        }
        Ok(())
    }

    /// Returns the metered dimension with exactly this key, if the catalog publishes it.
    pub(crate) fn metered_dimension(&self, code: &ProductCode, key: &str) -> Option<DimensionKey> {
        let product = self.0.products.get(code)?;
        let dimension = product.dimensions.iter().find(|it| it.is_metered() && it.key.as_str() == key)?;
        let hidden = self.state().unpublished.contains(&(code.clone(), dimension.key.clone()));
        (!hidden).then(|| dimension.key.clone())
    }

    /// Returns the license with exactly this ARN: the documented form of the ARN is not accepted.
    pub(crate) fn license_of_arn(&self, arn: &str) -> Option<License> {
        let id = arn.parse::<LicenseArn>().ok()?;
        self.state().license(id.id()).filter(|license| license.arn.as_str() == arn).cloned()
    }

    /// Returns the CustomerIdentifier of the buyer of a legacy product with that account.
    pub(crate) fn customer_of(&self, product: &ProductCode, account: &str) -> Option<CustomerIdentifier> {
        let state = self.state();
        let mut theirs = state.licenses.iter().filter(|it| it.product == *product && it.account.as_str() == account);
        theirs.find_map(|license| license.customer.clone())
    }
}

impl MarketplaceState {
    /// Returns the best acceptance of a usage among the buyer's licenses, and the license that has it.
    fn acceptance(&self, usage: &Usage, now: Timestamp, behavior: &Behavior) -> (Acceptance, Option<LicenseId>) {
        let theirs: Vec<&License> = match &usage.buyer {
            Buyer::License { license, .. } => self.license(license).into_iter().collect(),
            Buyer::Customer { product, customer } => {
                let is_it = |license: &License| license.customer.as_ref().is_some_and(|it| it.as_str() == customer);
                self.licenses.iter().filter(|license| license.product == *product && is_it(license)).collect()
            }
            Buyer::Account { product, account } => {
                let is_it = |license: &License| license.account.as_str() == account;
                self.licenses.iter().filter(|license| license.product == *product && is_it(license)).collect()
            }
        };
        let acceptances = theirs.into_iter().map(|license| {
            let acceptance = self.acceptance_at(license, usage.at, now, behavior);
            (acceptance, Some(license.arn.id().clone()))
        });
        // Of equal acceptances, that of the newest license.
        acceptances.max_by_key(|(acceptance, _)| *acceptance).unwrap_or((Acceptance::Closed, None))
    }

    /// Returns the acceptance by a license of usage at a moment. Events state times to the second, so this compares
    /// whole seconds.
    fn acceptance_at(&self, license: &License, at: Timestamp, now: Timestamp, behavior: &Behavior) -> Acceptance {
        let Some(ready) = license.grants.first().map(|grant| grant.from) else { return Acceptance::Closed };
        let end = self.end(license, behavior.final_window);
        let closed = now < ready || end.is_some_and(|end| now >= after(end, FINAL_WINDOW));
        let first = match behavior.start_of_purchase_hour {
            StartOfPurchaseHour::OutsideLicense => ready,
            StartOfPurchaseHour::Accepted => hour_of(license.purchased),
        };
        let from_then = at.as_second() >= first.as_second();
        let until_then = end.is_none_or(|end| at.as_second() <= end.as_second());
        match (closed, from_then && until_then) {
            (true, _) => Acceptance::Closed,
            (false, false) => Acceptance::Outside,
            (false, true) => Acceptance::Accepted,
        }
    }

    /// Returns the time of the event that opens the final window, if it is known.
    fn end(&self, license: &License, window: FinalWindow) -> Option<Timestamp> {
        let revoked = license.revoked?;
        match window {
            FinalWindow::LicenseDeprovisioned if license.customer.is_none() => Some(revoked),
            FinalWindow::LicenseDeprovisioned | FinalWindow::AgreementEnded => self
                .agreements
                .iter()
                .filter(|agreement| agreement.license == *license.arn.id())
                .filter_map(|agreement| agreement.ending.map(|ending| ending.at))
                .max(),
        }
    }

    /// Returns the license, the account and the product that are billed.
    pub(super) fn billed(&self, license: &LicenseId) -> Option<(LicenseId, AccountId, ProductCode)> {
        let license = self.license(license)?;
        let id = match &license.customer {
            Some(customer) => LicenseId::legacy(&license.product, customer),
            None => license.arn.id().clone(),
        };
        Some((id, license.account.clone(), license.product.clone()))
    }
}

/// Books an entry, unless one exists under its key.
fn book_one(state: &mut MarketplaceState, key: LedgerKey, entry: Entry, repeat: IdenticalRepeat) -> BookingResult {
    match state.ledger.entry(key) {
        hash_map::Entry::Vacant(free) => BookingResult::Success { id: free.insert(entry).id.clone() },
        hash_map::Entry::Occupied(occupied) => match repeat {
            IdenticalRepeat::Success if occupied.get().quantity == entry.quantity => {
                BookingResult::Success { id: occupied.get().id.clone() }
            }
            IdenticalRepeat::Success | IdenticalRepeat::DuplicateRecord => BookingResult::Duplicate,
        },
    }
}

/// Returns the start of the hour.
fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3600) * 3600).unwrap_or(at)
}
