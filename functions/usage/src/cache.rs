//! What a running function remembers: licenses for a minute, and markers that are known to be written.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use stallkeeper::ids::LicenseId;
use stallkeeper::license::License;
use stallkeeper::time::UsageHour;
use stallkeeper::usage::UsageEvent;

/// How long a license that was read is good. The reporter waits for it when a license ends.
const CACHE_TTL: SignedDuration = SignedDuration::from_secs(60);

/// How many hours' markers are remembered at most before they are forgotten.
const MAX_MARKERS: usize = 100_000;

/// How many licenses are remembered at most before they are forgotten.
const MAX_LICENSES: usize = 20_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct IntakeCache {
    licenses: Mutex<HashMap<LicenseId, (Timestamp, License)>>,
    marked: Mutex<HashSet<(LicenseId, UsageHour)>>,
}

impl IntakeCache {
    /// A license, at most a minute old.
    pub(crate) fn license(&self, id: &LicenseId, now: Timestamp) -> Option<License> {
        let known = lock(&self.licenses);
        let (read_at, license) = known.get(id)?;
        (now.duration_since(*read_at).abs() < CACHE_TTL).then(|| license.clone())
    }

    /// Remembers a license as it was read. That one is unknown is not remembered.
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

    /// The markers of these events that are known to be written.
    pub(crate) fn marked(&self, events: &[UsageEvent]) -> HashSet<(LicenseId, UsageHour)> {
        let known = lock(&self.marked);
        events.iter().map(|event| (event.license.clone(), event.hour())).filter(|of| known.contains(of)).collect()
    }

    /// Remembers markers that were written.
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
