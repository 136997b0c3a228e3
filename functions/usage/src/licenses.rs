//! The licenses that the events of one request are judged by.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use stallkeeper::aws::chain;
use stallkeeper::ids::{LicenseId, ProductCode};
use stallkeeper::license::License;
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

/// Whether an event is refused for what its license is, and not for its time or dimension.
fn is_for_its_license(intake: Intake) -> bool {
    match intake {
        Intake::Open | Intake::Late => false,
        Intake::Refused(refusal) => match refusal {
            Refusal::LicenseUnknown | Refusal::LicenseEnded | Refusal::LicenseFailed => true,
            Refusal::DimensionUnknown
            | Refusal::DimensionNotMetered
            | Refusal::TimeInFuture
            | Refusal::TooOld
            | Refusal::MonthClosed => false,
        },
    }
}
