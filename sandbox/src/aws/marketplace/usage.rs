//! What was metered: whose usage is taken, and what was booked first.
//!
//! Metering Service API reference, BatchMeterUsage and UsageRecordResult; the final window: AWS Marketplace user guide,
//! saas-eventbridge-integration.

use std::collections::hash_map;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use stallkeeper::ids::{AccountId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};

use super::books::{Books, License};
use super::{Marketplace, after};
use crate::aws::readings::{FinalWindow, IdenticalRepeat, Readings, StartOfPurchaseHour, UsageOutsideLicense};
use crate::aws::refused::Refused;
use crate::aws::region::Region;

/// How long usage is taken after the end.
const FINAL_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Whose usage it is, as a request names them. The same buyer named in two ways is billed in each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Buyer {
    License {
        license: LicenseId,
        /// Whether the request names the product too.
        with_product_code: bool,
    },
    Customer {
        product: ProductCode,
        /// As the request names it; it need not exist.
        customer: String,
    },
    Account {
        product: ProductCode,
        /// As the request names it; it need not exist.
        account: String,
    },
}

/// The usage of one buyer and one dimension in one hour.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub buyer: Buyer,
    pub dimension: DimensionKey,
    pub at: Timestamp,
    pub quantity: Decimal,
    pub allocations: Vec<Allocation>,
}

/// A part of a usage, by tags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Allocation {
    pub quantity: Decimal,
    pub tags: Vec<(String, String)>,
}

/// What becomes of a usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Booked {
    Success { id: String },
    Duplicate,
    NotSubscribed,
}

/// A usage is not within the activation period of its license.
#[derive(Debug)]
pub(crate) struct OutsideLicense;

/// What is booked once. The regions know nothing of each other: what is sent to two is booked in each (AWS's metering
/// skill, aws/agent-toolkit-for-aws: records are deduplicated per region).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LedgerKey {
    pub region: Region,
    pub buyer: Buyer,
    pub dimension: DimensionKey,
    /// The start of the hour, UTC.
    pub hour: Timestamp,
}

/// What was booked.
#[derive(Debug)]
pub(super) struct Entry {
    pub id: String,
    /// The license that it is billed to.
    pub license: LicenseId,
    pub quantity: Decimal,
    pub allocations: Vec<Allocation>,
}

/// Whether a license takes a usage now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It is not ready yet, or its final window is over.
    Closed,
    /// It takes usage, but none from then.
    Outside,
    Taken,
}

impl Marketplace {
    /// Books usages in a region, in their order, all of them or, where one makes the call fail, none. Of several with one key the
    /// first counts.
    pub(crate) fn book(&self, region: &Region, usages: Vec<Usage>) -> Result<Vec<Booked>, OutsideLicense> {
        let (now, readings) = (self.now(), self.readings());
        let mut books = self.books();
        let standings: Vec<_> = usages.iter().map(|usage| books.standing(usage, now, &readings)).collect();
        let fails = |(usage, (standing, _)): (&Usage, &(Standing, Option<LicenseId>))| {
            matches!(usage.buyer, Buyer::License { .. }) && *standing == Standing::Outside
        };
        match readings.usage_outside_license {
            UsageOutsideLicense::InvalidLicense if usages.iter().zip(&standings).any(fails) => {
                return Err(OutsideLicense);
            }
            UsageOutsideLicense::InvalidLicense | UsageOutsideLicense::CustomerNotSubscribed => {}
        }
        let booked = usages.into_iter().zip(standings).map(|(usage, standing)| match standing {
            (Standing::Taken, Some(license)) => {
                let Usage { buyer, dimension, at, quantity, allocations } = usage;
                let key = LedgerKey { region: region.clone(), buyer, dimension, hour: hour_of(at) };
                let entry = Entry { id: self.0.names.uuid(), license, quantity, allocations };
                book_one(&mut books, key, entry, readings.identical_repeat)
            }
            _ => Booked::NotSubscribed,
        });
        Ok(booked.collect())
    }

    /// Says that the catalogue does not publish a metered dimension, or that it does now. While it does not,
    /// BatchMeterUsage knows it as little as one that was never described.
    ///
    /// # Errors
    ///
    /// Refuses an unknown product, and a dimension that it does not meter.
    pub fn set_unpublished(
        &self,
        product: &ProductCode,
        dimension: &DimensionKey,
        unpublished: bool,
    ) -> Result<(), Refused> {
        let listing = self.0.listings.get(product).ok_or_else(|| self.unknown(product))?;
        let metered = || listing.dimensions.iter().filter(|dimension| dimension.is_metered());
        if !metered().any(|known| known.key == *dimension) {
            let known = metered().map(|dimension| dimension.key.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Refused::DimensionNotMetered { dimension: dimension.clone(), known });
        }
        let key = (product.clone(), dimension.clone());
        let mut books = self.books();
        if unpublished {
            books.unpublished.insert(key);
        } else {
            books.unpublished.remove(&key);
        }
        Ok(())
    }

    /// The metered dimension of that very key, if the catalogue publishes it.
    pub(crate) fn metered_dimension(&self, product: &ProductCode, key: &str) -> Option<DimensionKey> {
        let listing = self.0.listings.get(product)?;
        let dimension = listing.dimensions.iter().find(|it| it.is_metered() && it.key.as_str() == key)?;
        let hidden = self.books().unpublished.contains(&(product.clone(), dimension.key.clone()));
        (!hidden).then(|| dimension.key.clone())
    }

    /// The license of that very ARN: the documented form is not taken back.
    pub(crate) fn license_of_arn(&self, arn: &str) -> Option<License> {
        let id = arn.parse::<LicenseArn>().ok()?;
        self.books().license(id.id()).filter(|license| license.arn.as_str() == arn).cloned()
    }

    /// The key of the buyer of a legacy product that has that account.
    pub(crate) fn customer_of(&self, product: &ProductCode, account: &str) -> Option<CustomerIdentifier> {
        let books = self.books();
        let mut theirs = books.licenses.iter().filter(|it| it.product == *product && it.account.as_str() == account);
        theirs.find_map(|license| license.customer.clone())
    }
}

impl Books {
    /// How the best of the buyer's licenses stands to a usage, and which that is.
    fn standing(&self, usage: &Usage, now: Timestamp, readings: &Readings) -> (Standing, Option<LicenseId>) {
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
        let standings = theirs.into_iter().map(|license| {
            let standing = self.takes(license, usage.at, now, readings);
            (standing, Some(license.arn.id().clone()))
        });
        // Of equals the newest.
        standings.max_by_key(|(standing, _)| *standing).unwrap_or((Standing::Closed, None))
    }

    /// Whether a license takes usage from a moment. Events tell times to the second, so a second is not split here.
    fn takes(&self, license: &License, at: Timestamp, now: Timestamp, readings: &Readings) -> Standing {
        let Some(ready) = license.grants.first().map(|grant| grant.from) else { return Standing::Closed };
        let end = self.end(license, readings.final_window);
        let closed = now < ready || end.is_some_and(|end| now >= after(end, FINAL_WINDOW));
        let first = match readings.start_of_purchase_hour {
            StartOfPurchaseHour::OutsideLicense => ready,
            StartOfPurchaseHour::Accepted => hour_of(license.purchased),
        };
        let from_then = at.as_second() >= first.as_second();
        let until_then = end.is_none_or(|end| at.as_second() <= end.as_second());
        match (closed, from_then && until_then) {
            (true, _) => Standing::Closed,
            (false, false) => Standing::Outside,
            (false, true) => Standing::Taken,
        }
    }

    /// The event that opens the final window, if it is known when it comes.
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

    /// Who is billed.
    pub(super) fn billed(&self, license: &LicenseId) -> Option<(LicenseId, AccountId, ProductCode)> {
        let license = self.license(license)?;
        let id = match &license.customer {
            Some(customer) => LicenseId::legacy(&license.product, customer),
            None => license.arn.id().clone(),
        };
        Some((id, license.account.clone(), license.product.clone()))
    }
}

/// Books an entry, unless there is one under its key.
fn book_one(books: &mut Books, key: LedgerKey, entry: Entry, repeat: IdenticalRepeat) -> Booked {
    match books.ledger.entry(key) {
        hash_map::Entry::Vacant(free) => Booked::Success { id: free.insert(entry).id.clone() },
        hash_map::Entry::Occupied(taken) => match repeat {
            IdenticalRepeat::Success if taken.get().quantity == entry.quantity => {
                Booked::Success { id: taken.get().id.clone() }
            }
            IdenticalRepeat::Success | IdenticalRepeat::DuplicateRecord => Booked::Duplicate,
        },
    }
}

/// The start of the hour.
fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3600) * 3600).unwrap_or(at)
}
