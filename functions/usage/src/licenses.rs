//! The licenses that the events of one request are judged by.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use stallkeeper::aws::chain;
use stallkeeper::ids::{LicenseId, ProductCode};
use stallkeeper::license::{Key, License, Moving};
use stallkeeper::listing::Listing;
use stallkeeper::store::Store;
use stallkeeper::usage::{Intake, Refusal, UsageEvent, judge};

use crate::cache::IntakeCache;
use crate::intake::Indexed;

/// How many licenses of a request are read at once.
const MAX_CONCURRENT_READS: usize = 16;

/// The licenses of a request with the listings of their products. What could not be read is missing in them; none
/// stands for what the table does not have.
#[derive(Debug, Default)]
pub(crate) struct Licenses {
    licenses: BTreeMap<LicenseId, Option<License>>,
    listings: BTreeMap<ProductCode, Option<Listing>>,
}

impl Licenses {
    /// The licenses of these events, at most a minute old.
    ///
    /// Nothing is refused by the state of a license that was only remembered: it may be in force again since. Each of
    /// those is read once more, so that a refusal costs one read a license and request.
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

    /// A license, if the table has it and answered.
    pub(crate) fn get(&self, id: &LicenseId) -> Option<&License> {
        self.licenses.get(id)?.as_ref()
    }

    /// The other keys of buyers who move that are still to be read: also one that does not lead back, since it may be
    /// remembered from before the move was planned.
    fn unread_other_keys(&self) -> BTreeSet<LicenseId> {
        let pairs = self.licenses.values().flatten().filter_map(|license| Some((license, other_key(license)?)));
        let leads_back = |license: &License, other: &LicenseId| {
            self.get(other).is_some_and(|other| other_key(other).as_ref() == Some(&license.id))
        };
        pairs.filter(|(license, other)| !leads_back(license, other)).map(|(_, other)| other).collect()
    }

    /// Resolves the key that the buyer of an event has at its time, where they move from a customer key to a license key;
    /// any other event stays as it is.
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

    /// Returns `true` if a buyer has left by the license and subscribed again before the move to it was made: they return
    /// to the customer key with the move.
    fn returns(&self, old: &License, moving: &Moving, now: Timestamp) -> bool {
        let left = self.get(moving.arn.id()).and_then(License::usage_until).filter(|_| moving.is_planned());
        left.is_some_and(|left| old.active_since() > Some(left)) && !old.state_at(now).has_ended()
    }

    /// The same event under the other key of its buyer, if they move or have moved.
    pub(crate) fn with_other_key(&self, event: &UsageEvent) -> Option<UsageEvent> {
        let license = other_key(self.get(&event.license)?)?;
        Some(UsageEvent { license, ..event.clone() })
    }

    /// The customer key of a buyer who moves, and where to, by either of the keys.
    fn moving(&self, id: &LicenseId) -> Result<Option<(&License, &Moving)>, Unread> {
        let Some(license) = self.get(id) else { return Ok(None) };
        let old = match other_key(license) {
            None => return Ok(None),
            Some(_) if license.moving.is_some() => Some(license),
            Some(old) => self.licenses.get(&old).ok_or(Unread)?.as_ref(),
        };
        Ok(old.and_then(|old| Some((old, old.moving.as_ref()?))))
    }

    /// Judges an event; none if what it is judged by could not be read.
    pub(crate) fn judge(&self, event: &UsageEvent, now: Timestamp) -> Option<Intake> {
        let license = self.licenses.get(&event.license)?.as_ref();
        let listing = match license {
            Some(license) => self.listings.get(&license.product)?.as_ref(),
            None => None,
        };
        Some(judge(event, license, listing, now))
    }

    /// Reads licenses as the table has them at this moment, and the listings of all that are known then.
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
    /// It is taken in as this.
    Under(UsageEvent),
    /// It is taken in, unless it is known under the buyer's other key.
    UnlessKnown {
        /// The event as it is taken in.
        event: UsageEvent,
        /// The event as it would be known.
        other: UsageEvent,
    },
    /// It cannot be taken in now.
    Wait,
    /// The key cannot be told, since the buyer's other license could not be read.
    Unread,
}

/// A license that could not be read.
struct Unread;

/// The other key of a buyer who moves, or has moved, from a customer key to a license key.
fn other_key(license: &License) -> Option<LicenseId> {
    let to = license.moving.as_ref().map(|moving| moving.arn.id());
    to.or(license.predecessor.as_ref().filter(|before| before.is_legacy())).cloned()
}

/// Whether an event is refused for what its license is, and not for its time or dimension.
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
