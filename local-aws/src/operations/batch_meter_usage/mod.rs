//! BatchMeterUsage (Metering Service API reference): the usage of buyers.
//!
//! A call is about one product, and any error in one of its records refuses the whole call. Only two conditions are
//! answered for each record: that the buyer is subscribed, and that the hour is not booked yet. `record` reads a
//! record, `buyer` finds its buyer, and `window` checks its time.

mod allocations;
mod buyer;
mod errors;
mod record;
mod window;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::error::ServiceError;
use crate::input::{BadInput, Input};
use crate::marketplace::{BookingResult, Marketplace, OutsideLicense, Usage};
use crate::protocol::{Document, Record};
use crate::region::Region;
use crate::service::Service;
use errors::{invalid_license, malformed};
use record::UsageRecord;

/// The most records in a call: "can process up to 25 UsageRecords at a time".
const MOST: usize = 25;

/// The size in bytes that a body must stay below: "each request must be less than 1 MB in size".
pub(super) const LARGEST_BODY: usize = 1_000_000;

/// Books the records except the first `unprocessed` of them, which are returned as if the service had failed to process
/// them. Those must be valid all the same.
pub(super) fn answer(
    marketplace: &Marketplace,
    request: &Document,
    region: &Region,
    unprocessed: usize,
) -> Result<Document, ServiceError> {
    if !marketplace.admits_metering_request() {
        return Err(ServiceError::throttling(Service::Metering));
    }
    let records = read(request)?;
    let usages = usages(marketplace, request, &records)?;
    let left = unprocessed.min(usages.len());
    let booked = marketplace
        .book(region, usages.into_iter().skip(left).collect())
        .map_err(|OutsideLicense| invalid_license("The usage is not within the license's activation period."))?;
    let results = records.iter().skip(left).zip(booked).map(|(record, booked)| result(record, booked)).collect();
    let unprocessed: Vec<Document> = records.iter().take(left).map(UsageRecord::echo).collect();
    Ok(Record::new().with("Results", shuffled(results)).with("UnprocessedRecords", unprocessed).into())
}

/// Returns the product that a call is about, as far as the call names one.
pub(super) fn product(marketplace: &Marketplace, request: &Document) -> Option<String> {
    let input = Input::of(request, "request").ok()?;
    if let Some(Document::Text(product)) = input.value("ProductCode") {
        return Some(product.clone());
    }
    let records = input.list("UsageRecords").ok()??;
    records.iter().find_map(|record| match Input::of(record, "UsageRecords").ok()?.value("LicenseArn")? {
        Document::Text(arn) => Some(marketplace.license_of_arn(arn)?.product.to_string()),
        _ => None,
    })
}

fn read(request: &Document) -> Result<Vec<UsageRecord<'_>>, ServiceError> {
    let records = Input::of(request, "request").and_then(|input| input.required_list("UsageRecords"));
    let records = records.map_err(malformed)?;
    if records.len() > MOST {
        let rule = format!("have length less than or equal to {MOST}");
        return Err(malformed(BadInput::breaks("UsageRecords", rule)));
    }
    records.iter().map(|record| UsageRecord::read(record).map_err(malformed)).collect()
}

/// Returns the usages of the records, if every record is valid.
fn usages(
    marketplace: &Marketplace,
    request: &Document,
    records: &[UsageRecord<'_>],
) -> Result<Vec<Usage>, ServiceError> {
    let buyers = buyer::buyers(marketplace, request, records)?;
    let now = marketplace.now();
    let usages = records.iter().zip(buyers).map(|(record, (buyer, product))| {
        let dimension = marketplace.metered_dimension(&product, record.dimension).ok_or_else(|| {
            let message = format!("The usage dimension '{}' is not one of the product's.", record.dimension);
            ServiceError::modelled("InvalidUsageDimensionException", 400, message)
        })?;
        window::check(record.at, now)?;
        let quantity = record.quantity.amount();
        Ok(Usage { buyer, dimension, at: record.at, quantity, allocations: allocations::read(record)? })
    });
    usages.collect()
}

fn result(record: &UsageRecord<'_>, booked: BookingResult) -> Document {
    let (status, id) = match booked {
        BookingResult::Success { id } => ("Success", Some(id)),
        BookingResult::Duplicate => ("DuplicateRecord", None),
        BookingResult::NotSubscribed => ("CustomerNotSubscribed", None),
    };
    let result = Record::new().with("UsageRecord", record.echo()).with("Status", status);
    result.with_some("MeteringRecordId", id).into()
}

/// Returns the results in an order that differs from that of the request, which no document promises. The same results
/// always have the same order.
fn shuffled(results: Vec<Document>) -> Vec<Document> {
    let mut places: Vec<(u64, usize)> = results.iter().enumerate().map(|(at, result)| (hash(result), at)).collect();
    places.sort_unstable();
    if places.iter().map(|(_, at)| *at).eq(0..results.len()) {
        places.reverse();
    }
    places.into_iter().filter_map(|(_, at)| results.get(at).cloned()).collect()
}

fn hash(result: &Document) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Document::Map(members) = result
        && let Some(record) = members.get("UsageRecord")
    {
        record.to_json().to_string().hash(&mut hasher);
    }
    hasher.finish()
}
