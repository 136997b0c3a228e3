//! DescribeEntity: the details of a product or an offer.

use serde_json::Value;

use super::requests::{RESOURCE_ID, iso, not_found, of_catalog, refused};
use crate::catalog::Catalog;
use crate::error::ServiceError;
use crate::input::TextRule;
use crate::protocol::{Document, Record};

/// The model allows only a `ResourceId` here, but AWS also accepts an id with its revision.
const ENTITY_ID: TextRule =
    TextRule { allows: |c| c.is_ascii_alphanumeric() || "_-@".contains(c), pattern: r"^[\w\-@]+$", ..RESOURCE_ID };

pub(super) fn answer(catalog: &Catalog, request: &Document) -> Result<Document, ServiceError> {
    let input = of_catalog(request, "catalog").and_then(|input| input.required_text("entityId", &ENTITY_ID));
    let input = input.map_err(refused)?;
    let id = input.split_once('@').map_or(input, |(id, _)| id);
    let entity = catalog.entity(id).ok_or_else(|| not_found(format!("Entity '{id}' does not exist.")))?;
    let details = Value::Object(entity.details);
    Ok(Record::new()
        .with("EntityType", entity.kind.versioned())
        .with("EntityIdentifier", format!("{}@{}", entity.id, entity.revision))
        .with("EntityArn", catalog.arn(entity.kind.name(), &entity.id))
        .with("LastModifiedDate", iso(entity.modified))
        .with("Details", details.to_string())
        .with("DetailsDocument", Document::from(details))
        .into())
}
