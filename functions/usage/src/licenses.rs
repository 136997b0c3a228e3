//! The licenses of the events of one request.

use std::collections::{BTreeMap, BTreeSet};

use domain::errors::chain;
use domain::ids::{LicenseId, ProductCode};
use domain::license::{Key, License, Moving};
use domain::listing::Listing;
use domain::usage::{Intake, Refusal, UsageEvent, judge};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use store::Store;

use crate::cache::IntakeCache;
use crate::event::Indexed;

/// The most licenses of a request that are read at the same time.
const MAX_CONCURRENT_READS: usize = 16;

/// The licenses of a request, with the listings of their products. A license or listing that could not be read is
/// absent; one that the table does not have is `None`.
#[derive(Debug, Default)]
pub(crate) struct Licenses {
    licenses: BTreeMap<LicenseId, Option<License>>,
    listings: BTreeMap<ProductCode, Option<Listing>>,
}

impl Licenses {
    /// Reads the licenses of events, at most a minute old.
    ///
    /// An event is not refused by the state of a cached license, which may be in force again. Such a license is read
    /// again, so a refusal costs one read per license and request.
    pub(crate) async fn of(events: &Indexed<UsageEvent>, store: &Store, cache: &IntakeCache, now: Timestamp) -> Self {
        let ids: BTreeSet<&LicenseId> = events.iter().map(|(_, event)| &event.license).collect();
        let mut remembered = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        let mut licenses = Self::default();
        for id in ids {
            if let Some(license) = cache.license(id, now) {
                remembered.insert(id);
                licenses.licenses.insert(id.clone(), Some(license));
            } else {
                unknown.insert(id.clone());
            }
        }
        licenses.read(unknown, store, cache, now).await;
        let others = licenses.unread_other_keys();
        licenses.read(others, store, cache, now).await;
        let doubtful = events.iter().filter(|(_, event)| {
            remembered.contains(&event.license) && licenses.judge(event, now).is_some_and(is_refused_by_license)
        });
        let doubtful = doubtful.map(|(_, event)| event.license.clone()).collect();
        licenses.read(doubtful, store, cache, now).await;
        licenses
    }

    /// Returns a license; `None` if the table does not have it, or did not answer.
    pub(crate) fn get(&self, id: &LicenseId) -> Option<&License> {
        self.licenses.get(id)?.as_ref()
    }

    /// Returns the other keys of moving buyers that must still be read, including a key whose row does not refer back:
    /// the cached row may be older than the planned move.
    fn unread_other_keys(&self) -> BTreeSet<LicenseId> {
        let pairs = self.licenses.values().flatten().filter_map(|license| Some((license, other_key(license)?)));
        let leads_back = |license: &License, other: &LicenseId| {
            self.get(other).is_some_and(|other| other_key(other).as_ref() == Some(&license.id))
        };
        pairs.filter(|(license, other)| !leads_back(license, other)).map(|(_, other)| other).collect()
    }

    /// Returns an event under the key that its buyer has at the time of the event, if the buyer moves from a customer
    /// key to a license key. Any other event is unchanged.
    pub(crate) fn resolve(&self, named: UsageEvent, now: Timestamp) -> Resolved {
        let (old, moving) = match self.moving(&named.license) {
            Ok(Some(found)) => found,
            Ok(None) => return Resolved::Under(named),
            Err(Unread) => return Resolved::Unread,
        };
        let under = |license: &LicenseId| UsageEvent { license: license.clone(), ..named.clone() };
        let (customer, license) = (under(&old.id), under(moving.arn.id()));
        // What was billed before Stallkeeper is refused under either key.
        if moving.returned.is_none() && old.metered_from.is_some_and(|from| named.hour() < from) {
            return Resolved::Under(customer);
        }
        match moving.key_of(named.time, now) {
            Key::Customer if named.license == customer.license => Resolved::Under(customer),
            // The license may have been metered before its buyer's move was planned.
            Key::Customer | Key::CustomerUnlessKnown => Resolved::UnlessKnown { event: customer, other: license },
            Key::License if self.returns(old, moving, now) => Resolved::Wait,
            Key::License => Resolved::Under(license),
            Key::LicenseUnlessKnown => Resolved::UnlessKnown { event: license, other: customer },
            Key::Wait => Resolved::Wait,
        }
    }

    /// Returns `true` if the license that a buyer moves to has ended, and the buyer subscribed again before the move was
    /// made: the buyer returns to the customer key with the move.
    fn returns(&self, old: &License, moving: &Moving, now: Timestamp) -> bool {
        let left = self.get(moving.arn.id()).and_then(License::usage_until).filter(|_| moving.is_planned());
        left.is_some_and(|left| old.active_since() > Some(left)) && !old.state_at(now).has_ended()
    }

    /// Returns the same event under the other key of its buyer, if the buyer moves or has moved.
    pub(crate) fn with_other_key(&self, event: &UsageEvent) -> Option<UsageEvent> {
        let license = other_key(self.get(&event.license)?)?;
        Some(UsageEvent { license, ..event.clone() })
    }

    /// Returns the customer key of a moving buyer and its move, given either of the keys.
    fn moving(&self, id: &LicenseId) -> Result<Option<(&License, &Moving)>, Unread> {
        let Some(license) = self.get(id) else { return Ok(None) };
        let old = match other_key(license) {
            None => return Ok(None),
            Some(_) if license.moving.is_some() => Some(license),
            Some(old) => self.licenses.get(&old).ok_or(Unread)?.as_ref(),
        };
        Ok(old.and_then(|old| Some((old, old.moving.as_ref()?))))
    }

    /// Judges an event; returns `None` if its license or listing could not be read.
    pub(crate) fn judge(&self, event: &UsageEvent, now: Timestamp) -> Option<Intake> {
        let license = self.licenses.get(&event.license)?.as_ref();
        let listing = match license {
            Some(license) => self.listings.get(&license.product)?.as_ref(),
            None => None,
        };
        Some(judge(event, license, listing, now))
    }

    /// Reads licenses from the table, and the listings of all licenses that are known then.
    async fn read(&mut self, ids: BTreeSet<LicenseId>, store: &Store, cache: &IntakeCache, now: Timestamp) {
        let mut under_way = stream::iter(ids)
            .map(async |id: LicenseId| (store.license(&id).await, id))
            .buffer_unordered(MAX_CONCURRENT_READS);
        while let Some((read, id)) = under_way.next().await {
            match read {
                Ok(license) => {
                    cache.remember_license(&id, license.as_ref(), now);
                    self.licenses.insert(id, license);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "Failed to read a license");
                    self.licenses.remove(&id);
                }
            }
        }
        let products = self.licenses.values().flatten().map(|license| license.product.clone());
        let products: BTreeSet<ProductCode> = products.filter(|of| !self.listings.contains_key(of)).collect();
        for product in products {
            match store.listing(&product).await {
                Ok(listing) => {
                    self.listings.insert(product, listing);
                }
                Err(error) => tracing::warn!(error = %chain(&error), "Failed to read a listing"),
            }
        }
    }
}

/// An event under the key that its buyer has.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// The event is accepted under this key.
    Under(UsageEvent),
    /// The event is accepted, unless it is stored under the buyer's other key.
    UnlessKnown {
        /// The event to accept.
        event: UsageEvent,
        /// The same event under the other key.
        other: UsageEvent,
    },
    /// The event cannot be accepted now.
    Wait,
    /// The key is not known, because the buyer's other license could not be read.
    Unread,
}

/// A license that could not be read.
struct Unread;

/// Returns the other key of a buyer who moves, or has moved, from a customer key to a license key.
fn other_key(license: &License) -> Option<LicenseId> {
    let to = license.moving.as_ref().map(|moving| moving.arn.id());
    to.or(license.predecessor.as_ref().filter(|before| before.is_legacy())).cloned()
}

/// Returns `true` if an event is refused for the state of its license, and not for its time or dimension.
fn is_refused_by_license(intake: Intake) -> bool {
    match intake {
        Intake::Open | Intake::Late => false,
        Intake::Refused(refusal) => match refusal {
            Refusal::LicenseUnknown | Refusal::LicenseEnded | Refusal::LicenseFailed => true,
            Refusal::DimensionUnknown
            | Refusal::DimensionNotMetered
            | Refusal::LicenseProbe
            | Refusal::NotMeteredYet
            | Refusal::TimeInFuture
            | Refusal::TooOld
            | Refusal::HourClosed
            | Refusal::MonthClosed => false,
        },
    }
}
