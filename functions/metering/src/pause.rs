//! The state of a product in one run: its pauses, and the rejections of its records.

use std::collections::{BTreeSet, HashSet};

use domain::ids::{DimensionKey, LicenseId, ProductCode};
use domain::metering::{HourlyRecord, Rejection};
use store::{Pause, StoreError};

use crate::run::Run;

/// The most records that a run sends as probes of one pause, each of another license.
const MAX_PROBES: usize = 3;

/// The state of a product in one run.
#[derive(Debug, Default)]
pub(crate) struct ProductState {
    pauses: Vec<Probed>,
    /// Set if AWS has booked a record of the product in this run: its rejections are then not the product's fault.
    pub(crate) has_booking: bool,
    /// Single records that AWS has rejected, kept until it is known if AWS books any record of the product.
    pub(crate) rejected: Vec<(HourlyRecord, Rejection)>,
}

/// A pause, and its probes in this run.
#[derive(Debug)]
struct Probed {
    pause: Pause,
    /// The number of probes that are left.
    left: usize,
    /// The licenses whose records were sent as probes.
    tried: HashSet<LicenseId>,
}

impl Probed {
    fn applies_to(&self, dimension: &DimensionKey) -> bool {
        self.pause.dimension.as_ref().is_none_or(|paused| paused == dimension)
    }
}

impl ProductState {
    pub(crate) fn with(pauses: Vec<Pause>) -> Self {
        let pauses =
            pauses.into_iter().map(|pause| Probed { pause, left: MAX_PROBES, tried: HashSet::new() }).collect();
        Self { pauses, ..Self::default() }
    }

    /// Returns `true` if records of a dimension have to wait.
    pub(crate) fn is_paused(&self, dimension: &DimensionKey) -> bool {
        self.pauses.iter().any(|probed| probed.applies_to(dimension))
    }

    /// Removes the next probe from the records, and returns it with the pause that it probes. The record with the
    /// fewest attempts comes first, so that a record that is rejected for a fault of its own is not always the probe.
    pub(crate) fn next_probe(&mut self, records: &mut Vec<HourlyRecord>) -> Option<(Pause, HourlyRecord)> {
        for probed in self.pauses.iter_mut().filter(|probed| probed.left > 0) {
            let candidates = records.iter().enumerate().filter(|(_, record)| probed.applies_to(&record.name.dimension));
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

    /// Pauses the product, or one dimension of it, unless it is paused. A pause of this run is not probed in the same
    /// run.
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
        tracing::error!(run = run.id, %product, dimension, reason, "Paused a product or dimension; an operator must fix the reason");
        run.store.pause(&pause).await?;
        self.pauses.push(Probed { pause, left: 0, tried: HashSet::new() });
        Ok(())
    }

    /// Pauses the product if AWS has rejected records of several of its licenses and booked none.
    pub(crate) async fn pause_if_nothing_is_booked(
        &mut self,
        run: &Run<'_>,
        product: &ProductCode,
    ) -> Result<(), StoreError> {
        let licenses: BTreeSet<_> = self.rejected.iter().map(|(record, _)| &record.name.license).collect();
        let reason = self.rejected.first().map(|(_, rejection)| rejection.code().to_owned());
        match reason {
            Some(reason) if licenses.len() > 1 && !self.has_booking => self.pause(run, product, None, &reason).await,
            _ => Ok(()),
        }
    }
}
