//! The cache of an instance of the function: licenses for a minute, and markers that are known to be written.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::LicenseId;
use domain::license::License;
use domain::time::UsageHour;
use domain::usage::UsageEvent;
use jiff::{SignedDuration, Timestamp};

/// The time that a cached license is valid. The reporter waits for it after the end of a license.
const CACHE_TTL: SignedDuration = SignedDuration::from_secs(60);

/// The most cached markers. When it is reached, the cache of markers is cleared.
const MAX_MARKERS: usize = 100_000;

/// The most cached licenses. When it is reached, the cache of licenses is cleared.
const MAX_LICENSES: usize = 20_000;

/// The cached licenses and markers.
#[derive(Debug, Default)]
pub(crate) struct IntakeCache {
    licenses: Mutex<HashMap<LicenseId, (Timestamp, License)>>,
    marked: Mutex<HashSet<(LicenseId, UsageHour)>>,
}

impl IntakeCache {
    /// Returns a cached license that is at most a minute old.
    pub(crate) fn license(&self, id: &LicenseId, now: Timestamp) -> Option<License> {
        let known = lock(&self.licenses);
        let (read_at, license) = known.get(id)?;
        (now.duration_since(*read_at).abs() < CACHE_TTL).then(|| license.clone())
    }

    /// Caches a license as it was read. An unknown license is not cached.
    pub(crate) fn remember_license(&self, id: &LicenseId, license: Option<&License>, read_at: Timestamp) {
        let mut known = lock(&self.licenses);
        if known.len() >= MAX_LICENSES {
            known.clear();
        }
        match license {
            Some(license) => known.insert(id.clone(), (read_at, license.clone())),
            None => known.remove(id),
        };
    }

    /// Returns the markers of events that are known to be written.
    pub(crate) fn marked(&self, events: &[UsageEvent]) -> HashSet<(LicenseId, UsageHour)> {
        let known = lock(&self.marked);
        events.iter().map(|event| (event.license.clone(), event.hour())).filter(|of| known.contains(of)).collect()
    }

    /// Caches markers that were written.
    pub(crate) fn remember(&self, marked: HashSet<(LicenseId, UsageHour)>) {
        let mut known = lock(&self.marked);
        if known.len() >= MAX_MARKERS {
            known.clear();
        }
        known.extend(marked);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
