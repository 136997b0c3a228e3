//! DescribeChangeSet, ListChangeSets, CancelChangeSet: the state of change sets.

use jiff::Timestamp;

use super::requests::{
    NAME, RESOURCE_ID, ascends, filters, invalid, iso, missing, not_found, of_catalog, page, refused, structure, time,
    values,
};
use crate::catalog::{CancelError, Catalog, Change, ChangeSet, ErrorDetail, FailureCode, Status};
use crate::error::ServiceError;
use crate::input::{BadInput, Input};
use crate::operations::pages::Cursor;
use crate::protocol::{Document, Record};

const MOST: usize = 20;

pub(super) fn describe(catalog: &Catalog, request: &Document) -> Result<Document, ServiceError> {
    let id = id(request)?;
    let change_set = catalog.change_set(id).ok_or_else(|| unknown(id))?;
    let failure = change_set.failure();
    // "Returned if there is a failure on the change set, but that failure is not related to any of the changes".
    let description = failure.filter(|failure| failure.code == FailureCode::ServerFault);
    let description = description.and_then(|failure| failure.detail.as_ref()).map(|detail| detail.message.as_str());
    Ok(of_all(catalog, &change_set)
        .with("Intent", "APPLY")
        .with_some("FailureDescription", description)
        .with("ChangeSet", change_set.changes.iter().map(change).collect::<Vec<_>>())
        .into())
}

pub(super) fn cancel(catalog: &Catalog, request: &Document) -> Result<Document, ServiceError> {
    let id = id(request)?;
    catalog.cancel(id).map_err(|not_cancelled| match not_cancelled {
        CancelError::Unknown => unknown(id),
        CancelError::TooLate(Status::Applying) => {
            let message = format!("Change set '{id}' is APPLYING and can no longer be cancelled.");
            ServiceError::modelled("ResourceInUseException", 423, message)
        }
        CancelError::TooLate(status) => invalid(format!("Change set '{id}' is {} already.", status.as_str())),
    })?;
    Ok(Record::new().with("ChangeSetId", id).with("ChangeSetArn", catalog.arn("ChangeSet", id)).into())
}

fn id(request: &Document) -> Result<&str, ServiceError> {
    let read = of_catalog(request, "catalog").and_then(|input| input.required_text("changeSetId", &RESOURCE_ID));
    read.map_err(refused)
}

fn unknown(id: &str) -> ServiceError {
    not_found(format!("Change set '{id}' does not exist."))
}

/// Returns the members that a description and a list entry have in common.
fn of_all(catalog: &Catalog, change_set: &ChangeSet) -> Record {
    Record::new()
        .with("ChangeSetId", change_set.id.as_str())
        .with("ChangeSetArn", catalog.arn("ChangeSet", &change_set.id))
        .with("ChangeSetName", change_set.name.as_str())
        .with("StartTime", iso(change_set.started))
        .with_some("EndTime", change_set.ended().map(iso))
        .with("Status", change_set.status(catalog.now()).as_str())
        .with_some("FailureCode", change_set.failure().map(|failure| failure.code.as_str()))
}

fn change(change: &Change) -> Record {
    let entity = Record::new().with("Type", change.kind.versioned()).with("Identifier", change.entity.as_str());
    let error = |error: &ErrorDetail| {
        Record::new().with("ErrorCode", error.code.as_str()).with("ErrorMessage", error.message.as_str())
    };
    let summary = Record::new()
        .with("ChangeType", change.change_type.as_str())
        .with("Entity", entity)
        .with_some("ChangeName", change.name.as_deref())
        .with("ErrorDetailList", change.errors.iter().map(error).collect::<Vec<_>>());
    match change.as_text {
        true => summary.with("Details", change.details.to_string()),
        false => summary.with("DetailsDocument", Document::from(change.details.clone())),
    }
}

pub(super) fn list(catalog: &Catalog, request: &Document) -> Result<Document, ServiceError> {
    let input = read(request).map_err(refused)?;
    let now = catalog.now();
    let mut change_sets = catalog.change_sets();
    change_sets.retain(|change_set| input.filters.iter().all(|filter| filter.passes(change_set, now)));
    if input.by_end {
        // The sort is stable: change sets that have not ended come last, in the order of their start.
        change_sets.sort_by_key(|change_set| change_set.ended().unwrap_or(Timestamp::MAX));
    } else {
        change_sets.sort_by_key(|change_set| change_set.started);
    }
    if !input.ascends {
        change_sets.reverse();
    }
    let line = |change_set: &ChangeSet| of_all(catalog, change_set).with("EntityIdList", change_set.entities());
    let (page, next) = input.cursor.page(change_sets.iter().map(line).collect(), input.size);
    Ok(Record::new().with("ChangeSetSummaryList", page).with_some("NextToken", next).into())
}

struct ListChangeSetsInput<'a> {
    filters: Vec<Filter<'a>>,
    by_end: bool,
    ascends: bool,
    size: usize,
    cursor: Cursor,
}

fn read(request: &Document) -> Result<ListChangeSetsInput<'_>, BadInput> {
    let input = of_catalog(request, "Catalog")?;
    let filters = filters(input)?.iter().map(Filter::read).collect::<Result<_, _>>()?;
    let order = structure(input, "Sort")?;
    let by_end = match order.map(|order| order.text("SortBy", &NAME)).transpose()?.flatten() {
        None | Some("StartTime") => false,
        Some("EndTime") => true,
        Some(_) => return Err(BadInput::breaks("SortBy", "be StartTime or EndTime")),
    };
    let (size, cursor) = page(input, request, MOST)?;
    Ok(ListChangeSetsInput { filters, by_end, ascends: ascends(order)?, size, cursor })
}

/// A condition on a change set.
enum Filter<'a> {
    Name(Vec<&'a str>),
    Status(Vec<&'a str>),
    Entity(Vec<&'a str>),
    Started(Bound),
    Ended(Bound),
}

enum Bound {
    Before(Timestamp),
    After(Timestamp),
}

impl Bound {
    fn holds(&self, at: Timestamp) -> bool {
        match self {
            Self::Before(bound) => at < *bound,
            Self::After(bound) => at > *bound,
        }
    }
}

impl<'a> Filter<'a> {
    fn read(filter: &'a Document) -> Result<Self, BadInput> {
        let input = Input::of(filter, "FilterList")?;
        let name = input.required_text("Name", &NAME)?;
        let values = values(input, "ValueList")?.ok_or_else(|| missing("ValueList"))?;
        let at = || match values.as_slice() {
            [value] => time(value, "ValueList"),
            _ => Err(BadInput::breaks("ValueList", "have exactly 1 entry")),
        };
        Ok(match name {
            "ChangeSetName" => Self::Name(values),
            "EntityId" => Self::Entity(values),
            "Status" => {
                let known = Status::ALL.map(Status::as_str);
                if !values.iter().all(|value| known.contains(value)) {
                    return Err(BadInput::breaks("ValueList", format!("have values of {}", known.join(", "))));
                }
                Self::Status(values)
            }
            "BeforeStartTime" => Self::Started(Bound::Before(at()?)),
            "AfterStartTime" => Self::Started(Bound::After(at()?)),
            "BeforeEndTime" => Self::Ended(Bound::Before(at()?)),
            "AfterEndTime" => Self::Ended(Bound::After(at()?)),
            _ => {
                let known = "ChangeSetName, Status, EntityId, BeforeStartTime, AfterStartTime, BeforeEndTime, \
                             AfterEndTime";
                return Err(BadInput::breaks("Name", format!("be one of {known}")));
            }
        })
    }

    fn passes(&self, change_set: &ChangeSet, now: Timestamp) -> bool {
        match self {
            Self::Name(names) => names.contains(&change_set.name.as_str()),
            Self::Status(wanted) => wanted.contains(&change_set.status(now).as_str()),
            Self::Entity(ids) => ids.iter().any(|id| change_set.changes_entity(id)),
            Self::Started(bound) => bound.holds(change_set.started),
            Self::Ended(bound) => change_set.ended().is_some_and(|at| bound.holds(at)),
        }
    }
}
