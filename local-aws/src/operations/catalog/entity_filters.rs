//! The filters of ListEntities: its plain filters, and those of each entity type.

use jiff::Timestamp;

use super::entity_members::{member, name, union_member};
use super::requests::{NAME, VALUE, missing, only, structure, time, values};
use crate::catalog::{Entity, EntityKind};
use crate::input::{BadInput, Input};

/// Filters that an entity must all pass.
pub(super) struct Filters<'a>(Vec<Filter<'a>>);

enum Filter<'a> {
    /// The id is one of these.
    Id(Vec<&'a str>),
    /// The name is one of these.
    Name(Vec<&'a str>),
    /// The name contains this.
    NameHas(&'a str),
    /// A text of the details is one of these.
    Member(&'static str, Vec<&'a str>),
    /// The last change is after the first time and before the second.
    LastModified(Option<Timestamp>, Option<Timestamp>),
}

impl<'a> Filters<'a> {
    pub(super) fn read(input: Input<'a>, kind: Option<EntityKind>) -> Result<Self, BadInput> {
        let mut filters = Vec::new();
        for filter in super::requests::filters(input)? {
            let filter = Input::of(filter, "FilterList")?;
            match filter.required_text("Name", &NAME)? {
                "EntityId" => filters.push(Filter::Id(values(filter, "ValueList")?.ok_or(missing("ValueList"))?)),
                _ => return Err(BadInput::breaks("Name", "be EntityId; EntityTypeFilters has the other filters")),
            }
        }
        if let Some(union) = structure(input, "EntityTypeFilters")? {
            let member = union_member(kind, "SaaSProductFilters", "OfferFilters");
            only(union, "EntityTypeFilters", &[member])?;
            if let Some(of_type) = structure(union, member)? {
                match kind {
                    Some(EntityKind::Offer) => read_offers(of_type, &mut filters)?,
                    Some(EntityKind::Product) | None => read_products(of_type, &mut filters)?,
                }
            }
        }
        Ok(Self(filters))
    }

    pub(super) fn pass(&self, entity: &Entity) -> bool {
        self.0.iter().all(|filter| match filter {
            Filter::Id(ids) => ids.contains(&entity.id.as_str()),
            Filter::Name(names) => name(entity).is_some_and(|name| names.contains(&name)),
            Filter::NameHas(part) => name(entity).is_some_and(|name| name.contains(part)),
            Filter::Member(place, wanted) => member(entity, place).is_some_and(|text| wanted.contains(&text)),
            Filter::LastModified(after, before) => {
                after.is_none_or(|after| entity.modified > after)
                    && before.is_none_or(|before| entity.modified < before)
            }
        })
    }
}

fn read_products<'a>(of_type: Input<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), BadInput> {
    only(of_type, "SaaSProductFilters", &["EntityId", "ProductTitle", "Visibility", "LastModifiedDate"])?;
    read_ids(of_type, filters)?;
    read_names(of_type, "ProductTitle", filters)?;
    read_member(of_type, "Visibility", "/Description/Visibility", filters)?;
    read_times(of_type, filters)
}

fn read_offers<'a>(of_type: Input<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), BadInput> {
    only(of_type, "OfferFilters", &["EntityId", "Name", "ProductId", "State", "LastModifiedDate"])?;
    read_ids(of_type, filters)?;
    read_names(of_type, "Name", filters)?;
    read_member(of_type, "ProductId", "/ProductId", filters)?;
    read_member(of_type, "State", "/State", filters)?;
    read_times(of_type, filters)
}

fn read_ids<'a>(of_type: Input<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), BadInput> {
    if let Some(filter) = structure(of_type, "EntityId")? {
        filters.extend(values(filter, "ValueList")?.map(Filter::Id));
    }
    Ok(())
}

fn read_names<'a>(of_type: Input<'a>, member: &'static str, filters: &mut Vec<Filter<'a>>) -> Result<(), BadInput> {
    if let Some(filter) = structure(of_type, member)? {
        filters.extend(values(filter, "ValueList")?.map(Filter::Name));
        filters.extend(filter.text("WildCardValue", &VALUE)?.map(Filter::NameHas));
    }
    Ok(())
}

fn read_member<'a>(
    of_type: Input<'a>,
    member: &'static str,
    place: &'static str,
    filters: &mut Vec<Filter<'a>>,
) -> Result<(), BadInput> {
    if let Some(filter) = structure(of_type, member)? {
        filters.extend(values(filter, "ValueList")?.map(|values| Filter::Member(place, values)));
    }
    Ok(())
}

fn read_times<'a>(of_type: Input<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), BadInput> {
    let Some(filter) = structure(of_type, "LastModifiedDate")? else { return Ok(()) };
    let Some(range) = structure(filter, "DateRange")? else { return Ok(()) };
    let bound = |member| range.text(member, &VALUE)?.map(|text| time(text, member)).transpose();
    filters.push(Filter::LastModified(bound("AfterValue")?, bound("BeforeValue")?));
    Ok(())
}
