//! What a running function remembers: licenses for a minute, and markers that are known to be written.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use stallkeeper::ids::LicenseId;
use stallkeeper::license::License;
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::UsageHour;
use stallkeeper::usage::UsageEvent;

/// How long a license that was read is good. The reporter waits for it when a license ends.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// How many hours' markers are remembered at most before they are forgotten.
const MOST_MARKERS: usize = 100_000;

/// How many licenses are remembered at most before they are forgotten.
const MOST_LICENSES: usize = 20_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Known {
    licenses: Mutex<HashMap<LicenseId, (Timestamp, License)>>,
    marked: Mutex<HashSet<(LicenseId, UsageHour)>>,
}

impl Known {
    /// A license, at most a minute old. That one is unknown is not remembered.
    pub(crate) async fn license(&self, store: &Store, id: &LicenseId) -> Result<Option<License>, StoreError> {
        let now = store.clock().now();
        if let Some((read_at, license)) = lock(&self.licenses).get(id)
            && now.duration_since(*read_at).abs() < FRESH
        {
            return Ok(Some(license.clone()));
        }
        let license = store.license(id).await?;
        if let Some(license) = &license {
            let mut known = lock(&self.licenses);
            if known.len() >= MOST_LICENSES {
                known.clear();
            }
            known.insert(id.clone(), (now, license.clone()));
        }
        Ok(license)
    }

    /// The markers of these events that are known to be written.
    pub(crate) fn marked(&self, events: &[UsageEvent]) -> HashSet<(LicenseId, UsageHour)> {
        let known = lock(&self.marked);
        events.iter().map(|event| (event.license.clone(), event.hour())).filter(|of| known.contains(of)).collect()
    }

    /// Remembers markers that were written.
    pub(crate) fn remember(&self, marked: HashSet<(LicenseId, UsageHour)>) {
        let mut known = lock(&self.marked);
        if known.len() >= MOST_MARKERS {
            known.clear();
        }
        known.extend(marked);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
