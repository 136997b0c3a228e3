//! StartChangeSet: the requests that AWS refuses immediately, and those that it accepts.
//!
//! Malformed changes, details beyond their limits and locked entities are refused immediately. If the current entities
//! do not allow the changes, the change set fails later, when it ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::change_set::{Change, ChangeSet, Progress, RequestedChange, RequestedChangeSet, Status};
use super::change_types::{self, InvalidDetails};
use super::progress::apply_all;
use super::{Catalog, EntityKind, State};

/// The reason for which a change set is not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartError {
    /// The request is invalid; the sentence names the problem.
    Invalid(String),
    /// The entity does not exist.
    Unknown(String),
    /// Another change set locks an entity; the sentence names both.
    Locked(String),
}

impl Catalog {
    /// Starts a change set and returns its id. The same request with the same token returns the id of the earlier
    /// change set.
    pub(crate) fn start(&self, request: RequestedChangeSet) -> Result<String, StartError> {
        let mut state = self.settled();
        let earlier = request.token.as_ref().and_then(|token| {
            state.change_sets.iter().find(|change_set| change_set.request.token.as_ref() == Some(token))
        });
        if let Some(earlier) = earlier {
            return match earlier.request == request {
                true => Ok(earlier.id.clone()),
                false => Err(invalid("The ClientRequestToken was used for another request.")),
            };
        }
        let changes = self.read(&request.changes, &state)?;
        lock(&changes, &state)?;

        let (id, now) = (self.0.ids.change_set(), self.now());
        let name = request.name.clone().unwrap_or_else(|| format!("Submitted by {}", self.0.seller));
        let progress = self.progress(&changes, &state, now);
        let mut change_set =
            ChangeSet { id: id.clone(), name, started: now, changes, progress, forced_failure: None, request };
        if let Some(next) = state.next.take() {
            next.decide(&mut change_set);
        }
        state.change_sets.push(change_set);
        Ok(id)
    }

    /// Reads the changes: their types, the entities that they name, their details.
    fn read(&self, request: &[RequestedChange], state: &State) -> Result<Vec<Change>, StartError> {
        let mut created = BTreeMap::new();
        let mut kinds = Vec::new();
        for change in request {
            let kind = EntityKind::ALL.into_iter().find(|kind| kind.versioned() == change.entity_type);
            let kind = kind.ok_or_else(|| {
                let known = EntityKind::ALL.map(EntityKind::versioned).join(", ");
                invalid(format!("The local AWS has no entities of the type '{}', only: {known}", change.entity_type))
            })?;
            let id = creates(change).then(|| match kind {
                EntityKind::Product => self.0.ids.product(),
                EntityKind::Offer => self.0.ids.offer(),
            });
            if let (Some(id), Some(name)) = (&id, &change.name)
                && created.insert(format!("${name}.Entity.Identifier"), id.clone()).is_some()
            {
                return Err(invalid(format!("Two changes have the ChangeName '{name}'.")));
            }
            kinds.push((kind, id));
        }
        let read = |(change, (kind, id)): (&RequestedChange, (EntityKind, Option<String>))| {
            let details = resolve(&change.details, &created);
            change_types::check(kind, &change.change_type, &details).map_err(|unfit| match unfit {
                InvalidDetails::UnknownType => {
                    let (entity, known) = (kind.versioned(), change_types::of(kind).join(", "));
                    let given = &change.change_type;
                    invalid(format!("{entity} has no change type '{given}' here; the local AWS serves: {known}"))
                }
                InvalidDetails::Breaks(sentence) => {
                    invalid(format!("The details of {} are not valid: {sentence}", change.change_type))
                }
            })?;
            let entity = match (id, &change.identifier) {
                (Some(id), None) => id,
                (Some(_), Some(_)) => {
                    return Err(invalid(format!("{} takes no Identifier.", change.change_type)));
                }
                (None, None) => return Err(invalid(format!("{} needs an Identifier.", change.change_type))),
                (None, Some(identifier)) => named(identifier, kind, &created, state)?,
            };
            Ok(Change {
                kind,
                change_type: change.change_type.clone(),
                entity,
                name: change.name.clone(),
                details,
                as_text: change.as_text,
                errors: Vec::new(),
            })
        };
        let changes = request.iter().zip(kinds).map(read).collect::<Result<Vec<_>, _>>()?;
        for (place, change) in changes.iter().enumerate() {
            let is_same = |other: &Change| other.entity == change.entity && other.change_type == change.change_type;
            if changes.iter().take(place).any(is_same) {
                let (kind, id) = (&change.change_type, &change.entity);
                return Err(invalid(format!("The change type {kind} occurs twice for the entity '{id}'.")));
            }
        }
        Ok(changes)
    }

    /// Returns the progress of a new change set: by the clock, unless AWS reviews it. A product becomes public only
    /// after a manual review, which takes 7 to 10 business days (AWS Marketplace user guide, saas-product-lifecycle).
    /// Changes that cannot be applied are not reviewed.
    fn progress(&self, changes: &[Change], state: &State, now: Timestamp) -> Progress {
        let goes_public = |change: &Change| {
            change.change_type == "UpdateVisibility"
                && change.details.get("TargetVisibility").and_then(Value::as_str) == Some("Public")
        };
        if changes.iter().any(goes_public) && apply_all(changes, &state.entities, now, &self.0.ids).is_ok() {
            return Progress::Waiting(Status::Preparing);
        }
        let after = |time| now.checked_add(time).unwrap_or(Timestamp::MAX);
        Progress::Scheduled { applying: after(self.0.change_set_duration / 2), ends: after(self.0.change_set_duration) }
    }
}

fn invalid(sentence: impl Into<String>) -> StartError {
    StartError::Invalid(sentence.into())
}

fn creates(change: &RequestedChange) -> bool {
    matches!(change.change_type.as_str(), "CreateProduct" | "CreateOffer")
}

/// Returns the details with each reference to a created entity replaced by its id.
fn resolve(details: &Value, created: &BTreeMap<String, String>) -> Value {
    match details {
        Value::String(text) => created.get(text).unwrap_or(text).as_str().into(),
        Value::Array(items) => items.iter().map(|item| resolve(item, created)).collect(),
        Value::Object(members) => {
            let resolved = members.iter().map(|(name, value)| (name.clone(), resolve(value, created)));
            Value::Object(resolved.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => details.clone(),
    }
}

/// Returns the id of the entity that an identifier names.
fn named(
    identifier: &str,
    kind: EntityKind,
    created: &BTreeMap<String, String>,
    state: &State,
) -> Result<String, StartError> {
    if identifier.starts_with('$') {
        let of_no_change = || invalid(format!("'{identifier}' refers to no change that creates an entity."));
        return created.get(identifier).cloned().ok_or_else(of_no_change);
    }
    let id = identifier.split_once('@').map_or(identifier, |(id, _)| id);
    match state.entities.get(id) {
        Some(entity) if entity.kind == kind => Ok(id.to_owned()),
        Some(_) | None => Err(StartError::Unknown(id.to_owned())),
    }
}

fn lock(changes: &[Change], state: &State) -> Result<(), StartError> {
    for change in changes {
        let holder = state.change_sets.iter().find(|other| other.is_open() && other.changes_entity(&change.entity));
        if let Some(holder) = holder {
            return Err(StartError::Locked(format!(
                "Requested change set has entities locked by change sets - Entity: '{}' ChangeSets: '{}'",
                change.entity, holder.id,
            )));
        }
    }
    Ok(())
}
