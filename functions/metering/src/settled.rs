//! The result of settling an hour, and the notes about usage that no record can hold.

use domain::metering::{HourlyRecord, RecordName};
use lambda::metrics::Metric;
use rust_decimal::Decimal;
use store::{Note, NoteKind, StoreError};

use crate::run::Run;

/// The result of settling an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing is left for a later run: every unit is in a record, carried to one, or named by a problem.
    Done,
    /// Something is left for a later run.
    Incomplete,
}

impl Settled {
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

/// Writes a note about a problem that no record's state shows, and reports the problem, unless `record` has changed
/// since it was read.
pub(crate) async fn note(
    run: &Run<'_>,
    about: &RecordName,
    record: Option<&HourlyRecord>,
    kind: NoteKind,
    amount: Decimal,
) -> Result<Settled, StoreError> {
    let note = Note { about: about.clone(), note: kind, amount, since: run.now, contested: None };
    if !run.store.write_note(&note, record).await? {
        return Ok(Settled::Incomplete);
    }
    let (metric, reason) = match kind {
        NoteKind::Overbilled => (Metric::UsageOverbilled, "the records hold more than the hour"),
        NoteKind::Uncarried => (Metric::UsageUncarried, "no record that is still to be sent can hold it"),
        NoteKind::PeriodUnknown => (Metric::UsageHeld, "the start of its agreement is not known"),
        NoteKind::IncludedUnknown => (Metric::UsageHeld, "the quantity that the contract includes is not known"),
        NoteKind::KeyReused => (Metric::UsageConflict, "one key and revision has several contents"),
    };
    run.problem(metric, about, reason);
    Ok(Settled::Done)
}
