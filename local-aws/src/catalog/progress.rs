//! The end of change sets: by the clock, all changes or none.

use jiff::Timestamp;

use super::change_set::{Change, ChangeSet, Failure, FailureCode, Outcome, Progress, Status};
use super::described::own_part;
use super::{Catalog, Entities, Entity, EntityKind, ErrorDetail, State, offer, product};
use crate::marketplace::IdGenerator;

/// The reason for which a change set is not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelError {
    /// The change set does not exist.
    Unknown,
    /// The change set is being applied, or has ended.
    TooLate(Status),
}

impl State {
    /// Ends every change set that is due by now, in the order in which they are due.
    pub(super) fn settle(&mut self, now: Timestamp, ids: &IdGenerator) {
        let due = |change_set: &ChangeSet| match change_set.progress {
            Progress::Scheduled { ends, .. } if ends <= now => Some(ends),
            Progress::Scheduled { .. } | Progress::Waiting(_) | Progress::Ended { .. } => None,
        };
        loop {
            let next = self.change_sets.iter().enumerate().filter_map(|(at, it)| Some((due(it)?, at))).min();
            let Some((ends, at)) = next else { return };
            let State { entities, change_sets, .. } = self;
            let Some(change_set) = change_sets.get_mut(at) else { return };
            change_set.end(entities, ends, ids);
        }
    }
}

impl ChangeSet {
    /// Applies the changes, or records the errors that prevent it.
    fn end(&mut self, entities: &mut Entities, at: Timestamp, ids: &IdGenerator) {
        let outcome = match self.forced_failure.clone() {
            Some(failure) => self.failed(failure),
            None => match apply_all(&self.changes, entities, at, ids) {
                Ok(changed) => {
                    *entities = changed;
                    Outcome::Succeeded
                }
                Err(errors) => {
                    for (change, errors) in self.changes.iter_mut().zip(errors) {
                        change.errors = errors;
                    }
                    Outcome::Failed(Failure { code: FailureCode::ClientError, detail: None })
                }
            },
        };
        self.progress = Progress::Ended { at, outcome };
    }

    /// Makes the change set fail when it ends. One that would wait, for a review or because it hangs, ends immediately.
    pub(super) fn force_failure(&mut self, failure: Failure) {
        self.forced_failure = Some(failure);
        if matches!(self.progress, Progress::Waiting(_)) {
            self.progress = Progress::Scheduled { applying: self.started, ends: self.started };
        }
    }

    /// Returns the failed outcome; an error of the client is recorded at the first change.
    pub(super) fn failed(&mut self, failure: Failure) -> Outcome {
        if let (FailureCode::ClientError, Some(detail), Some(first)) =
            (failure.code, &failure.detail, self.changes.first_mut())
        {
            first.errors = vec![detail.clone()];
        }
        Outcome::Failed(failure)
    }
}

/// Returns the entities with all changes applied, or the errors of each change.
pub(super) fn apply_all(
    changes: &[Change],
    entities: &Entities,
    at: Timestamp,
    ids: &IdGenerator,
) -> Result<Entities, Vec<Vec<ErrorDetail>>> {
    let mut changed = entities.clone();
    let errors: Vec<_> =
        changes.iter().map(|change| apply(change, &mut changed, at, ids).err().unwrap_or_default()).collect();
    if errors.iter().any(|errors| !errors.is_empty()) {
        return Err(errors);
    }
    for (id, entity) in &mut changed {
        if changes.iter().any(|change| change.entity == *id) {
            entity.revision = entities.get(id).map_or(1, |before| before.revision.saturating_add(1));
            entity.modified = at;
        }
    }
    Ok(changed)
}

fn apply(change: &Change, entities: &mut Entities, at: Timestamp, ids: &IdGenerator) -> Result<(), Vec<ErrorDetail>> {
    let fresh = match change.change_type.as_str() {
        "CreateProduct" => Some(product::fresh(&ids.product_code())),
        "CreateOffer" => {
            let product = super::members::text(&change.details, "ProductId");
            Some(offer::fresh(&change.entity, product, change.details.get("Name")))
        }
        _ => None,
    };
    let there = entities.remove(&change.entity).or_else(|| {
        let details = fresh?.as_object().cloned().unwrap_or_default();
        Some(Entity { id: change.entity.clone(), kind: change.kind, revision: 1, modified: at, details })
    });
    let Some(mut entity) = there else {
        // This change set creates it after this change, or it was removed since the change set started.
        let message = format!("There is no entity '{}'.", change.entity);
        return Err(vec![ErrorDetail::new("INVALID_INPUT", message)]);
    };
    let (change_type, details) = (&change.change_type, &change.details);
    let done = match change.kind {
        EntityKind::Product => product::apply(change_type, details, &mut entity.details, &own_part(&entity.id)),
        EntityKind::Offer => {
            offer::apply(change_type, details, &mut entity.details, entities).map_err(|error| vec![error])
        }
    };
    entities.insert(entity.id.clone(), entity);
    done
}

impl Catalog {
    /// Performs CancelChangeSet: "Must be sent before the status of the request changes to APPLYING" (Catalog API
    /// reference).
    pub(crate) fn cancel(&self, id: &str) -> Result<(), CancelError> {
        let now = self.now();
        let mut state = self.settled();
        let found = state.change_sets.iter_mut().find(|change_set| change_set.id == id);
        let change_set = found.ok_or(CancelError::Unknown)?;
        match change_set.status(now) {
            Status::Preparing => {
                change_set.progress = Progress::Ended { at: now, outcome: Outcome::Cancelled };
                Ok(())
            }
            status @ (Status::Applying | Status::Succeeded | Status::Cancelled | Status::Failed) => {
                Err(CancelError::TooLate(status))
            }
        }
    }
}
