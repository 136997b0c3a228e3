//! The parts of a usage by tags (vendor-metered tagging; Metering Service API reference, UsageAllocation, Tag,
//! InvalidTagException and InvalidUsageAllocationsException).

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::errors::malformed;
use super::record::{Quantity, UsageRecord};
use crate::error::ServiceError;
use crate::input::{Input, TextRule};
use crate::marketplace::Allocation;
use crate::protocol::Document;

const MOST: usize = 2500;
const MOST_TAGS: usize = 5;
/// The pattern as the model writes it: ` -=` within the brackets is a range.
const TAG_PATTERN: &str = r"^[a-zA-Z0-9+ -=._:\/@]+$";
const KEY: TextRule = TextRule { shortest: 1, longest: 100, pattern: TAG_PATTERN, allows: in_tag };
const VALUE: TextRule = TextRule { shortest: 1, longest: 256, pattern: TAG_PATTERN, allows: in_tag };

fn in_tag(c: char) -> bool {
    c.is_ascii_alphanumeric() || (' '..='=').contains(&c) || "+._:/@".contains(c)
}

/// Returns the record's parts; an empty list if it has no allocations.
pub(super) fn read(record: &UsageRecord<'_>) -> Result<Vec<Allocation>, ServiceError> {
    let Some(documents) = record.allocations else { return Ok(Vec::new()) };
    if !(1..=MOST).contains(&documents.len()) {
        return Err(invalid(&format!("A usage record has 1 to {MOST} allocations.")));
    }
    let allocations = documents.iter().map(|document| allocation(document, record.quantity));
    let allocations: Vec<Allocation> = allocations.collect::<Result<_, _>>()?;

    let sum = allocations.iter().try_fold(Decimal::ZERO, |sum, allocation| sum.checked_add(allocation.quantity));
    if sum != Some(record.quantity.amount()) {
        return Err(invalid("Sum of allocated usage quantities is not equal to the usage quantity."));
    }
    let keys: BTreeSet<&str> =
        allocations.iter().flat_map(|allocation| &allocation.tags).map(|(key, _)| key.as_str()).collect();
    if keys.len() > MOST_TAGS {
        return Err(invalid_tag(&format!("The number of tags is greater than {MOST_TAGS}.")));
    }
    let sets: BTreeSet<&[(String, String)]> = allocations.iter().map(|allocation| allocation.tags.as_slice()).collect();
    if sets.len() < allocations.len() {
        return Err(invalid("Each allocation needs a set of tags of its own, and only one may have none."));
    }
    Ok(allocations)
}

fn allocation(document: &Document, whole: Quantity) -> Result<Allocation, ServiceError> {
    let input = Input::of(document, "UsageAllocations").map_err(malformed)?;
    let quantity = Quantity::read(input, "AllocatedUsageQuantity", "AllocatedUsageQuantityAsDecimal");
    let quantity = match (quantity.map_err(malformed)?, whole) {
        (Some(part @ Quantity::Whole(_)), Quantity::Whole(_))
        | (Some(part @ Quantity::Decimal(_)), Quantity::Decimal(_)) => part.amount(),
        (Some(_), _) => return Err(invalid("The allocations don't use the same type of quantity as the usage.")),
        (None, _) => return Err(invalid("Each allocation must specify its quantity.")),
    };
    let mut tags = match input.list("Tags").map_err(malformed)? {
        None => Vec::new(),
        Some(tags) if (1..=MOST_TAGS).contains(&tags.len()) => {
            tags.iter().map(tag).collect::<Result<Vec<_>, ServiceError>>()?
        }
        Some(_) => return Err(invalid_tag(&format!("An allocation has 1 to {MOST_TAGS} tags, or no list of them."))),
    };
    // A set has no order.
    tags.sort();
    if tags.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
        return Err(invalid_tag("A key occurs twice in one allocation."));
    }
    Ok(Allocation { quantity, tags })
}

fn tag(document: &Document) -> Result<(String, String), ServiceError> {
    let texts = Input::of(document, "Tags")
        .and_then(|tag| Ok((tag.required_text("Key", &KEY)?, tag.required_text("Value", &VALUE)?)));
    let (key, value) = texts.map_err(|bad| bad.into_error(|bad| invalid_tag(&bad.sentence())))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidUsageAllocationsException", 400, message)
}

fn invalid_tag(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidTagException", 400, message)
}
