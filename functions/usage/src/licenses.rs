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

use crate::intake::Placed;
use crate::known::Known;

/// How many licenses of a request are read at once.
const READ_AT_ONCE: usize = 16;

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
    pub(crate) async fn of(events: &Placed<UsageEvent>, store: &Store, known: &Known, now: Timestamp) -> Self {
        let ids: BTreeSet<&LicenseId> = events.iter().map(|(_, event)| &event.license).collect();
        let mut remembered = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        let mut licenses = Self::default();
        for id in ids {
            if let Some(license) = known.license(id, now) {
                remembered.insert(id);
                licenses.licenses.insert(id.clone(), Some(license));
            } else {
                unknown.insert(id.clone());
            }
        }
        licenses.read(unknown, store, known, now).await;
        let others = licenses.licenses.values().flatten().filter_map(other_key);
        let others: BTreeSet<LicenseId> = others.filter(|id| !licenses.licenses.contains_key(id)).collect();
        licenses.read(others, store, known, now).await;
        let doubtful = events.iter().filter(|(_, event)| {
            remembered.contains(&event.license) && licenses.judge(event, now).is_some_and(is_for_its_license)
        });
        let doubtful = doubtful.map(|(_, event)| event.license.clone()).collect();
        licenses.read(doubtful, store, known, now).await;
        licenses
    }

    /// A license, if the table has it and answered.
    pub(crate) fn get(&self, id: &LicenseId) -> Option<&License> {
        self.licenses.get(id)?.as_ref()
    }

    /// The event under the key that its buyer has at its time, of one who moves from a customer key to a license key; any
    /// other stays as it is.
    pub(crate) fn keyed(&self, mut event: UsageEvent, now: Timestamp) -> Keyed {
        let (old, moving) = match self.moving(&event.license) {
            // What was billed before Stallkeeper is refused under either key.
            Ok(Some((old, _))) if old.metered_from.is_some_and(|from| event.hour() < from) => {
                event.license = old.id.clone();
                return Keyed::As(event);
            }
            Ok(Some((old, moving))) => (old.id.clone(), moving.clone()),
            Ok(None) => return Keyed::As(event),
            Err(Unread) => return Keyed::NotNow,
        };
        let new = moving.arn.id();
        match moving.key_of(event.time, now) {
            Key::Customer => event.license = old,
            Key::License => event.license = new.clone(),
            Key::LicenseUnlessKnown => {
                let before = UsageEvent { license: old, ..event.clone() };
                event.license = new.clone();
                return Keyed::UnlessKnown { event, before };
            }
            Key::NotNow => return Keyed::NotNow,
        }
        Keyed::As(event)
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
    async fn read(&mut self, ids: BTreeSet<LicenseId>, store: &Store, known: &Known, now: Timestamp) {
        let mut under_way =
            stream::iter(ids).map(async |id: LicenseId| (store.license(&id).await, id)).buffer_unordered(READ_AT_ONCE);
        while let Some((read, id)) = under_way.next().await {
            match read {
                Ok(license) => {
                    known.remember_license(&id, license.as_ref(), now);
                    self.licenses.insert(id, license);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "a license could not be read");
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
                Err(error) => tracing::warn!(error = %chain(&error), "a listing could not be read"),
            }
        }
    }
}

/// An event under the key that its buyer has.
#[derive(Debug)]
pub(crate) enum Keyed {
    /// It is taken in as this.
    As(UsageEvent),
    /// It is taken in, unless it is known under the key that its buyer had before.
    UnlessKnown {
        /// As what it is taken in.
        event: UsageEvent,
        /// As what it would be known.
        before: UsageEvent,
    },
    /// It cannot be said now.
    NotNow,
}

/// A license that could not be read.
struct Unread;

/// The other key of a buyer who moves, or has moved, from a customer key to a license key.
fn other_key(license: &License) -> Option<LicenseId> {
    let to = license.moving.as_ref().map(|moving| moving.arn.id());
    to.or(license.predecessor.as_ref().filter(|before| before.is_legacy())).cloned()
}

/// Whether an event is refused for what its license is, and not for its time or dimension.
fn is_for_its_license(intake: Intake) -> bool {
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
            | Refusal::MonthClosed => false,
        },
    }
}
