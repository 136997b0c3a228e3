//! What a run knows of a product: its pauses, and whether anything of it gets through to AWS.

use std::collections::{BTreeSet, HashSet};

use stallkeeper::ids::{DimensionKey, LicenseId, ProductCode};
use stallkeeper::metering::{HourlyRecord, Rejection};
use stallkeeper::store::{Pause, StoreError};

use crate::run::Run;

/// How many records are tried for a pause before it is left for this run, each of another license.
const PROBES: usize = 3;

/// What a run knows of a product.
#[derive(Debug, Default)]
pub(crate) struct ProductState {
    pauses: Vec<Probed>,
    /// Whether AWS has booked a record of it in this run: what it rejects then is not the product's fault.
    pub(crate) gets_through: bool,
    /// Single records that AWS has rejected, until it is known whether anything gets through.
    pub(crate) rejected: Vec<(HourlyRecord, Rejection)>,
}

/// A pause, and what of it was tried in this run.
#[derive(Debug)]
struct Probed {
    pause: Pause,
    /// How many more records are tried.
    left: usize,
    /// The licenses of those that were.
    tried: HashSet<LicenseId>,
}

impl Probed {
    fn holds_back(&self, dimension: &DimensionKey) -> bool {
        self.pause.dimension.as_ref().is_none_or(|paused| paused == dimension)
    }
}

impl ProductState {
    pub(crate) fn with(pauses: Vec<Pause>) -> Self {
        let pauses = pauses.into_iter().map(|pause| Probed { pause, left: PROBES, tried: HashSet::new() }).collect();
        Self { pauses, ..Self::default() }
    }

    /// Whether records of a dimension have to wait.
    pub(crate) fn holds_back(&self, dimension: &DimensionKey) -> bool {
        self.pauses.iter().any(|probed| probed.holds_back(dimension))
    }

    /// Takes the next record out that is to be tried, with the pause that it is tried for. The least tried first, so
    /// that one that is rejected for itself is not the probe for ever.
    pub(crate) fn next_probe(&mut self, records: &mut Vec<HourlyRecord>) -> Option<(Pause, HourlyRecord)> {
        for probed in self.pauses.iter_mut().filter(|probed| probed.left > 0) {
            let candidates = records.iter().enumerate().filter(|(_, record)| probed.holds_back(&record.name.dimension));
            let fresh = candidates.filter(|(_, record)| !probed.tried.contains(&record.name.license));
            if let Some((place, _)) = fresh.min_by_key(|(_, record)| record.attempts) {
                let record = records.remove(place);
                probed.left -= 1;
                probed.tried.insert(record.name.license.clone());
                return Some((probed.pause.clone(), record));
            }
        }
        None
    }

    pub(crate) fn lift(&mut self, pause: &Pause) {
        self.pauses.retain(|probed| probed.pause != *pause);
    }

    /// Pauses the product, or one dimension of it, unless it is. What is paused in this run is not probed in it.
    pub(crate) async fn pause(
        &mut self,
        run: &Run<'_>,
        product: &ProductCode,
        dimension: Option<DimensionKey>,
        reason: &str,
    ) -> Result<(), StoreError> {
        if self.pauses.iter().any(|probed| probed.pause.dimension == dimension) {
            return Ok(());
        }
        let pause = Pause { product: product.clone(), dimension, reason: reason.to_owned(), since: run.now };
        let dimension = pause.dimension.as_ref().map(DimensionKey::as_str);
        tracing::error!(run = run.id, %product, dimension, reason, "paused: a person must mend it");
        run.store.pause(&pause).await?;
        self.pauses.push(Probed { pause, left: 0, tried: HashSet::new() });
        Ok(())
    }

    /// Pauses the product if AWS has rejected records of several of its licenses and booked none.
    pub(crate) async fn pause_if_nothing_gets_through(
        &mut self,
        run: &Run<'_>,
        product: &ProductCode,
    ) -> Result<(), StoreError> {
        let licenses: BTreeSet<_> = self.rejected.iter().map(|(record, _)| &record.name.license).collect();
        let reason = self.rejected.first().map(|(_, rejection)| rejection.code().to_owned());
        match reason {
            Some(reason) if licenses.len() > 1 && !self.gets_through => self.pause(run, product, None, &reason).await,
            _ => Ok(()),
        }
    }
}
