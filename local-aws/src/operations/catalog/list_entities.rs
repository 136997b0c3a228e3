//! ListEntities: the products or offers of the catalog.

use serde_json::Value;

use super::entity_filters::Filters;
use super::entity_members::{member, name, union_member};
use super::requests::{NAME, VALUE, ascends, iso, of_catalog, only, page, refused, structure};
use crate::catalog::{Catalog, Entity, EntityKind};
use crate::error::ServiceError;
use crate::input::BadInput;
use crate::operations::pages::Cursor;
use crate::protocol::{Document, Record};

const MOST: usize = 50;

/// The entity types of the model of which the seller has none.
const OTHERS: [&str; 11] = [
    "AmiProduct",
    "ContainerProduct",
    "DataProduct",
    "ProcurementPolicy",
    "Experience",
    "Audience",
    "BrandingSettings",
    "OfferSet",
    "Seller",
    "ResaleAuthorization",
    "Solution",
];

pub(super) fn answer(catalog: &Catalog, request: &Document) -> Result<Document, ServiceError> {
    let input = read(request).map_err(refused)?;
    let mut entities = match input.kind {
        Some(kind) if input.owns => catalog.entities(kind),
        // No other account shares entities with the seller.
        Some(_) | None => Vec::new(),
    };
    entities.retain(|entity| input.filters.pass(entity));
    entities.sort_by_key(|entity| (input.sort.key(entity), entity.id.clone()));
    if !input.ascends {
        entities.reverse();
    }
    let summaries = entities.iter().map(|entity| summary(catalog, entity)).collect();
    let (page, next) = input.cursor.page(summaries, input.size);
    Ok(Record::new().with("EntitySummaryList", page).with_some("NextToken", next).into())
}

struct ListEntitiesInput<'a> {
    /// `None` for a kind of which the seller has no entities.
    kind: Option<EntityKind>,
    /// `true` if the seller's own entities are requested.
    owns: bool,
    filters: Filters<'a>,
    sort: Sort,
    ascends: bool,
    size: usize,
    cursor: Cursor,
}

fn read(request: &Document) -> Result<ListEntitiesInput<'_>, BadInput> {
    let input = of_catalog(request, "Catalog")?;
    let name = input.required_text("EntityType", &NAME)?;
    let kind = EntityKind::ALL.into_iter().find(|kind| kind.name() == name);
    if kind.is_none() && !OTHERS.contains(&name) {
        return Err(BadInput::breaks("EntityType", format!("be one of SaaSProduct, Offer, {}", OTHERS.join(", "))));
    }
    let owns = match input.text("OwnershipType", &VALUE)? {
        None | Some("SELF") => true,
        Some("SHARED") => false,
        Some(_) => return Err(BadInput::breaks("OwnershipType", "satisfy enum value set: [SELF, SHARED]")),
    };
    let filters = Filters::read(input, kind)?;
    let by_type = match structure(input, "EntityTypeSort")? {
        None => None,
        Some(union) => {
            let member = union_member(kind, "SaaSProductSort", "OfferSort");
            only(union, "EntityTypeSort", &[member])?;
            structure(union, member)?
        }
    };
    let order = by_type.or(structure(input, "Sort")?);
    let sort = match (kind, order.map(|order| order.text("SortBy", &NAME)).transpose()?.flatten()) {
        (_, None | Some("LastModifiedDate")) => Sort::LastModified,
        (_, Some("EntityId")) => Sort::Id,
        (Some(EntityKind::Product), Some("ProductTitle")) | (Some(EntityKind::Offer), Some("Name")) => Sort::Name,
        (Some(EntityKind::Product), Some("Visibility")) => Sort::Member("/Description/Visibility"),
        (Some(EntityKind::Offer), Some("State")) => Sort::Member("/State"),
        (Some(EntityKind::Offer), Some("ProductId")) => Sort::Member("/ProductId"),
        (_, Some(_)) => {
            let known =
                "LastModifiedDate, EntityId; ProductTitle, Visibility (SaaSProduct); Name, State, ProductId (Offer)";
            return Err(BadInput::breaks("SortBy", format!("be one of these, in the local AWS: {known}")));
        }
    };
    let (size, cursor) = page(input, request, MOST)?;
    Ok(ListEntitiesInput { kind, owns, filters, sort, ascends: ascends(order)?, size, cursor })
}

/// The property by which entities are sorted.
enum Sort {
    LastModified,
    Id,
    Name,
    /// A text of the details.
    Member(&'static str),
}

impl Sort {
    fn key(&self, entity: &Entity) -> String {
        match self {
            Self::LastModified => iso(entity.modified),
            Self::Id => entity.id.clone(),
            Self::Name => name(entity).unwrap_or_default().to_owned(),
            Self::Member(place) => member(entity, place).unwrap_or_default().to_owned(),
        }
    }
}

fn summary(catalog: &Catalog, entity: &Entity) -> Record {
    let summary = Record::new()
        .with_some("Name", name(entity))
        .with("EntityType", entity.kind.name())
        .with("EntityId", entity.id.as_str())
        .with("EntityArn", catalog.arn(entity.kind.name(), &entity.id))
        .with("LastModifiedDate", iso(entity.modified));
    match entity.kind {
        EntityKind::Product => {
            let visibility = member(entity, "/Description/Visibility");
            let product = Record::new().with_some("ProductTitle", name(entity)).with_some("Visibility", visibility);
            summary.with_some("Visibility", visibility).with("SaaSProductSummary", product)
        }
        EntityKind::Offer => {
            let rules = entity.details.get("Rules").and_then(Value::as_array);
            let of_rules = |place: &str| rules.into_iter().flatten().find_map(|rule| rule.pointer(place));
            let buyers = of_rules("/PositiveTargeting/BuyerAccounts");
            let end = of_rules("/AvailabilityEndDate").and_then(Value::as_str);
            let end = end.and_then(|end| end.parse().ok()).map(iso);
            let targeting = if buyers.is_some() { "BuyerAccounts" } else { "None" };
            let offer = Record::new()
                .with_some("Name", name(entity))
                .with_some("ProductId", member(entity, "/ProductId"))
                .with_some("AvailabilityEndDate", end)
                .with_some("BuyerAccounts", buyers.cloned().map(Document::from))
                .with_some("State", member(entity, "/State"))
                .with("Targeting", vec![targeting]);
            summary.with("OfferSummary", offer)
        }
    }
}
