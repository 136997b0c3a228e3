//! The members of entities, by which ListEntities filters and sorts.

use serde_json::Value;

use crate::catalog::{Entity, EntityKind};

/// Returns the member of a union that belongs to a kind of entities.
pub(super) fn union_member(kind: Option<EntityKind>, product: &'static str, offer: &'static str) -> &'static str {
    match kind {
        Some(EntityKind::Offer) => offer,
        Some(EntityKind::Product) | None => product,
    }
}

/// Returns the name that the seller gave an entity.
pub(super) fn name(entity: &Entity) -> Option<&str> {
    match entity.kind {
        EntityKind::Product => member(entity, "/Description/ProductTitle"),
        EntityKind::Offer => member(entity, "/Name"),
    }
}

/// Returns a text of an entity's details.
pub(super) fn member<'a>(entity: &'a Entity, place: &str) -> Option<&'a str> {
    let mut parts = place.trim_start_matches('/').split('/');
    let first = entity.details.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part)).and_then(Value::as_str)
}
