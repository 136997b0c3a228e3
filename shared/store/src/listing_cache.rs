//! The cache of listings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::ProductCode;
use domain::listing::Listing;
use jiff::{SignedDuration, Timestamp};

/// The time that a cached listing is valid.
const CACHE_TTL: SignedDuration = SignedDuration::from_secs(60);

/// Listings that were read a short time ago. The cache does not remember that a product has no listing, so a new
/// listing works immediately.
#[derive(Debug, Clone, Default)]
pub(super) struct ListingCache(Arc<Mutex<HashMap<ProductCode, (Timestamp, Listing)>>>);

impl ListingCache {
    pub(super) fn get(&self, product: &ProductCode, now: Timestamp) -> Option<Listing> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, listing) = known.get(product)?;
        (now.duration_since(*read_at).abs() < CACHE_TTL).then(|| listing.clone())
    }

    pub(super) fn put(&self, listing: &Listing, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(listing.product_code.clone(), (now, listing.clone()));
    }
}
