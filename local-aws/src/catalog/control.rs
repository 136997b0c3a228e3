//! Control of the catalog by an operator or a test: sets entities to any state and decides the outcome of change sets.

use jiff::Timestamp;
use marketplace_ids::ProductCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::change_set::{ChangeSet, FailureCode, Outcome, Progress, Status};
use super::decision::{Decision, NextChangeSet, Verdict, rejection};
use super::members::merge_patch;
use super::{Catalog, Entity, EntityKind, ErrorDetail, described};
use crate::control_error::ControlError;
use crate::product::Product;

/// An entity in its current state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityOverview {
    /// The entity's id.
    pub id: String,
    /// The kind of the entity.
    #[serde(rename = "type")]
    pub kind: EntityKind,
    /// The revision, which counts the entity's changes from 1.
    pub revision: u32,
    /// The time of the last change.
    pub last_modified: Timestamp,
    /// The id of the change set that locks the entity.
    pub locked_by: Option<String>,
    /// The details that DescribeEntity returns.
    pub details: Map<String, Value>,
}

/// A change set in its current state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeSetOverview {
    /// The id of the change set.
    pub id: String,
    /// The name of the change set.
    pub name: String,
    /// The status of the change set.
    pub status: Status,
    /// `true` if it keeps its status until a control call ends that: AWS reviews it, or it hangs.
    pub waits: bool,
    /// The time at which it started.
    pub started: Timestamp,
    /// The time at which it ended.
    pub ended: Option<Timestamp>,
    /// The code of its failure.
    pub failure_code: Option<FailureCode>,
    /// The changes.
    pub changes: Vec<ChangeOverview>,
}

/// A change of a change set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeOverview {
    /// The type of the change.
    pub change_type: String,
    /// The id of the entity that it changes.
    pub entity: String,
    /// The errors of the change.
    pub errors: Vec<ErrorDetail>,
}

impl Catalog {
    /// Returns all entities in their current state.
    pub fn entity_overviews(&self) -> Vec<EntityOverview> {
        let state = self.settled();
        let overview = |entity: &Entity| EntityOverview {
            id: entity.id.clone(),
            kind: entity.kind,
            revision: entity.revision,
            last_modified: entity.modified,
            locked_by: state
                .change_sets
                .iter()
                .find(|change_set| change_set.is_open() && change_set.changes_entity(&entity.id))
                .map(|change_set| change_set.id.clone()),
            details: entity.details.clone(),
        };
        state.entities.values().map(overview).collect()
    }

    /// Returns all change sets, oldest first.
    pub fn change_set_overviews(&self) -> Vec<ChangeSetOverview> {
        let now = self.now();
        self.settled().change_sets.iter().map(|change_set| overview(change_set, now)).collect()
    }

    /// Changes an entity by a merge patch on its details, without regard to rules and locks.
    ///
    /// # Errors
    ///
    /// Fails for an entity that does not exist.
    pub fn patch(&self, id: &str, patch: Map<String, Value>) -> Result<(), ControlError> {
        let now = self.now();
        let mut state = self.settled();
        let known = || state.entities.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        if !state.entities.contains_key(id) {
            return Err(ControlError::EntityUnknown { given: id.chars().take(80).collect(), known: known() });
        }
        if let Some(entity) = state.entities.get_mut(id) {
            merge_patch(&mut entity.details, patch);
            entity.revision = entity.revision.saturating_add(1);
            entity.modified = now;
        }
        Ok(())
    }

    /// Makes a product complete again, as it was at the start. Its open change sets are cancelled, and its
    /// further offers are removed.
    ///
    /// # Errors
    ///
    /// Fails for a product code that no product has.
    pub fn reset(&self, product: &ProductCode) -> Result<(), ControlError> {
        self.put(product, |product, now| described::complete(product, now).into())
    }

    /// Makes a product an empty draft, as CreateProduct and CreateOffer leave it; otherwise like
    /// [`reset`](Self::reset).
    ///
    /// # Errors
    ///
    /// Fails for a product code that no product has.
    pub fn strip(&self, product: &ProductCode) -> Result<(), ControlError> {
        self.put(product, |product, now| described::bare(product, now).into())
    }

    /// Removes a product from the catalog, as before CreateProduct; otherwise like [`reset`](Self::reset).
    ///
    /// # Errors
    ///
    /// Fails for a product code that no product has.
    pub fn remove(&self, product: &ProductCode) -> Result<(), ControlError> {
        self.put(product, |_, _| Vec::new())
    }

    fn put(&self, code: &ProductCode, made: fn(&Product, Timestamp) -> Vec<Entity>) -> Result<(), ControlError> {
        let now = self.now();
        let product = self.0.products.iter().find(|product| product.code == *code).ok_or_else(|| {
            let known: Vec<&str> = self.0.products.iter().map(|product| product.code.as_str()).collect();
            ControlError::ProductUnknown { product: code.clone(), known: known.join(", ") }
        })?;
        let mut state = self.settled();
        let id = product.id.as_str();
        let is_of_it =
            |entity: &Entity| entity.id == id || entity.details.get("ProductId").and_then(Value::as_str) == Some(id);
        let gone: Vec<(String, u32)> =
            state.entities.values().filter(|it| is_of_it(it)).map(|it| (it.id.clone(), it.revision)).collect();
        state.entities.retain(|_, entity| !is_of_it(entity));
        for change_set in &mut state.change_sets {
            if change_set.is_open() && gone.iter().any(|(id, _)| change_set.changes_entity(id)) {
                change_set.progress = Progress::Ended { at: now, outcome: Outcome::Cancelled };
            }
        }
        for mut entity in made(product, now) {
            let before = gone.iter().find(|(id, _)| *id == entity.id).map_or(0, |(_, revision)| *revision);
            entity.revision = before.saturating_add(1);
            state.entities.insert(entity.id.clone(), entity);
        }
        Ok(())
    }

    /// Sets the outcome of the next change set.
    pub fn plan(&self, next: NextChangeSet) {
        self.settled().next = Some(next);
    }

    /// Ends a change set that waits for AWS's review or hangs.
    ///
    /// # Errors
    ///
    /// Fails for a change set that does not exist, and for one that does not wait.
    pub fn decide(&self, id: &str, decision: Decision) -> Result<ChangeSetOverview, ControlError> {
        let now = self.now();
        let mut state = self.settled();
        let change_set = state
            .change_sets
            .iter_mut()
            .find(|change_set| change_set.id == id)
            .ok_or_else(|| ControlError::ChangeSetUnknown { given: id.chars().take(80).collect() })?;
        if !matches!(change_set.progress, Progress::Waiting(_)) {
            let status = change_set.status(now).as_str();
            return Err(ControlError::ChangeSetDoesNotWait { change_set: id.to_owned(), status });
        }
        change_set.progress = match decision.verdict {
            Verdict::Approve => Progress::Scheduled { applying: now, ends: now },
            Verdict::Reject => {
                let failure = rejection(decision.code, decision.message, "AWS Marketplace has rejected this change.");
                Progress::Ended { at: now, outcome: change_set.failed(failure) }
            }
        };
        state.settle(now, &self.0.ids);
        let decided = state.change_sets.iter().find(|change_set| change_set.id == id);
        decided
            .map(|change_set| overview(change_set, now))
            .ok_or_else(|| ControlError::ChangeSetUnknown { given: id.to_owned() })
    }
}

fn overview(change_set: &ChangeSet, now: Timestamp) -> ChangeSetOverview {
    let change = |change: &super::Change| ChangeOverview {
        change_type: change.change_type.clone(),
        entity: change.entity.clone(),
        errors: change.errors.clone(),
    };
    ChangeSetOverview {
        id: change_set.id.clone(),
        name: change_set.name.clone(),
        status: change_set.status(now),
        waits: matches!(change_set.progress, Progress::Waiting(_)),
        started: change_set.started,
        ended: change_set.ended(),
        failure_code: change_set.failure().map(|failure| failure.code),
        changes: change_set.changes.iter().map(change).collect(),
    }
}
