//! BatchMeterUsage (Metering Service API reference): what buyers used.
//!
//! A call is about one product, and anything that is wrong with one of its records refuses the whole of it; only
//! whether the buyer is subscribed and whether the hour is free is answered for each record. `record` reads what one
//! says, `buyer` whose usage it is and `window` whether it comes in time.

mod allocations;
mod buyer;
mod record;
mod window;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::aws::error::ServiceError;
use crate::aws::input::{BadInput, Input};
use crate::aws::marketplace::{Booked, Marketplace, OutsideLicense, Usage};
use crate::aws::protocol::{Document, Record};
use crate::aws::region::Region;
use crate::aws::service::Service;
use record::UsageRecord;

/// "can process up to 25 UsageRecords at a time"
const MOST: usize = 25;

/// "each request must be less than 1 MB in size"
pub(super) const LARGEST_BODY: usize = 1_000_000;

/// Books the records but for the first `unprocessed` of them, which come back as what the service failed at. They
/// must be right all the same.
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

/// The product that a call is about, as far as it names one.
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

/// The usages that the records stand for, if nothing is wrong with any.
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

/// The model has no error for what breaks its rules; the common one it is then.
fn malformed(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError::validation(bad.sentence()))
}

fn invalid_license(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidLicenseException", 400, message)
}

fn result(record: &UsageRecord<'_>, booked: Booked) -> Document {
    let (status, id) = match booked {
        Booked::Success { id } => ("Success", Some(id)),
        Booked::Duplicate => ("DuplicateRecord", None),
        Booked::NotSubscribed => ("CustomerNotSubscribed", None),
    };
    let result = Record::new().with("UsageRecord", record.echo()).with("Status", status);
    result.with_some("MeteringRecordId", id).into()
}

/// Never in the order of the request, which no document promises, and always in the same one for the same results.
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
