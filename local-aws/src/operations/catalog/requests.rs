//! The common parts of requests to the Catalog API, and its errors.

use jiff::Timestamp;

use crate::error::ServiceError;
pub(super) use crate::input::only;
use crate::input::{self, BadInput, Input, Problem, TextRule};
use crate::operations::pages::{Cursor, query};
use crate::protocol::Document;

/// The model's `ResourceId`.
pub(super) const RESOURCE_ID: TextRule = TextRule {
    shortest: 1,
    longest: 255,
    pattern: r"^[\w\-]+$",
    allows: |c| c.is_ascii_alphanumeric() || "_-".contains(c),
};

/// The model's `FilterName`, `SortBy` and `EntityType`.
pub(super) const NAME: TextRule =
    TextRule { shortest: 1, longest: 255, pattern: "^[a-zA-Z]+$", allows: |c| c.is_ascii_alphabetic() };

/// The model's rule for the values of filters.
pub(super) const VALUE: TextRule =
    TextRule { shortest: 1, longest: 255, pattern: "^(.)+$", allows: |c| c != '\n' && c != '\r' };

const CATALOG: TextRule = TextRule { longest: 64, ..NAME };
const NEXT_TOKEN: TextRule = TextRule {
    shortest: 1,
    longest: 2048,
    pattern: r"^[\w+=.:@\-\/]$",
    allows: |c| c.is_ascii_alphanumeric() || "_+=.:@-/".contains(c),
};

pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::modelled("ValidationException", 422, message)
}

pub(super) fn not_found(message: impl Into<String>) -> ServiceError {
    ServiceError::modelled("ResourceNotFoundException", 404, message)
}

/// Returns the service's error for bad input.
pub(super) fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| invalid(bad.sentence()))
}

/// Returns the members of a request about `AWSMarketplace`, the only catalog.
pub(super) fn of_catalog<'a>(request: &'a Document, member: &'static str) -> Result<Input<'a>, BadInput> {
    let input = Input::of(request, "request")?;
    match input.required_text(member, &CATALOG)? {
        "AWSMarketplace" => Ok(input),
        _ => Err(BadInput::breaks(member, "be AWSMarketplace")),
    }
}

/// Returns the requested page size and the position at which the page starts.
pub(super) fn page(input: Input<'_>, request: &Document, most: usize) -> Result<(usize, Cursor), BadInput> {
    const STANDARD: usize = 20;
    let size = match input.value("MaxResults") {
        None => STANDARD,
        Some(_) => input.page_size("MaxResults", most)?,
    };
    let cursor = match input.text("NextToken", &NEXT_TOKEN)? {
        None => Cursor::start(query(request), 0),
        Some(token) => Cursor::read(token, query(request))
            .ok_or_else(|| BadInput::breaks("NextToken", "come from the previous answer to the same request"))?,
    };
    Ok((size, cursor))
}

/// Returns a member that is a structure, if it is present.
pub(super) fn structure<'a>(input: Input<'a>, member: &'static str) -> Result<Option<Input<'a>>, BadInput> {
    input.value(member).map(|value| Input::of(value, member)).transpose()
}

/// Returns the plain filters of a list request: 0 if the member is missing, otherwise 1 to 8.
pub(super) fn filters<'a>(input: Input<'a>) -> Result<&'a [Document], BadInput> {
    const MOST: usize = 8;
    match input.list("FilterList")? {
        None => Ok(&[]),
        Some(filters) if (1..=MOST).contains(&filters.len()) => Ok(filters),
        Some(_) => Err(BadInput::breaks("FilterList", format!("have from 1 to {MOST} entries"))),
    }
}

/// Returns a list of 1 to 10 values.
pub(super) fn values<'a>(input: Input<'a>, member: &'static str) -> Result<Option<Vec<&'a str>>, BadInput> {
    let Some(values) = input.list(member)? else { return Ok(None) };
    if values.is_empty() || values.len() > 10 {
        return Err(BadInput::breaks(member, "have from 1 to 10 entries"));
    }
    values.iter().map(|value| input::text(value, member, &VALUE)).collect::<Result<_, _>>().map(Some)
}

/// Returns `true` if the order is ascending; the default is descending.
pub(super) fn ascends(input: Option<Input<'_>>) -> Result<bool, BadInput> {
    match input.map(|input| input.text("SortOrder", &VALUE)).transpose()?.flatten() {
        None | Some("DESCENDING") => Ok(false),
        Some("ASCENDING") => Ok(true),
        Some(_) => Err(BadInput::breaks("SortOrder", "satisfy enum value set: [ASCENDING, DESCENDING]")),
    }
}

/// Returns a time in the format of the Catalog API, to the second.
pub(super) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads a time in the format of the Catalog API.
pub(super) fn time(text: &str, member: &'static str) -> Result<Timestamp, BadInput> {
    text.parse().map_err(|_| BadInput::breaks(member, "be a time such as 2018-02-27T13:45:22Z"))
}

pub(super) fn missing(member: &'static str) -> BadInput {
    BadInput { member, problem: Problem::Missing }
}
