//! The metering service: BatchMeterUsage.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_marketplacemetering::config;
use aws_sdk_marketplacemetering::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_marketplacemetering::operation::batch_meter_usage::{BatchMeterUsageError, BatchMeterUsageOutput};
use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_sdk_marketplacemetering::types::{Tag, UsageAllocation, UsageRecord, UsageRecordResultStatus};
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use super::Marketplace;
use domain::allocation::Allocation;
use domain::ids::{LicenseArn, LicenseId};
use domain::metering::{Answer, Buyer, HourlyRecord, RecordName, Rejection, Status};
use domain::time::UsageHour;
use domain::usage::Quantity;

/// The time that one call may take. A claim lasts longer.
const TIME_LIMIT: Duration = Duration::from_secs(20);

impl Marketplace {
    /// Sends frozen records in one call (BatchMeterUsage), once. The SDK's own retries are off, because every attempt
    /// is recorded before it is made.
    ///
    /// The request is built from the records alone, so the same records make the same request. License-keyed records
    /// are sent with LicenseArn and account, never together with the product code (AWS would bill twice); legacy ones
    /// with product code and CustomerIdentifier. The records must be of one product and style, with a buyer each; see
    /// [`pack`](domain::metering::pack).
    pub async fn batch_meter_usage(&self, records: &[HourlyRecord]) -> Answer {
        let Ok(sent) = records.iter().map(usage_record).collect::<Result<Vec<_>, _>>() else {
            return Answer::NotBooked("a record cannot be expressed".to_owned());
        };
        let product = records.iter().find(|record| matches!(record.buyer, Some(Buyer::Customer { .. })));
        let quantities: Vec<DecimalQuantities> = records.iter().map(DecimalQuantities::of).collect();
        let once = config::Config::builder().retry_config(RetryConfig::disabled()).timeout_config(
            TimeoutConfig::builder().operation_timeout(TIME_LIMIT).operation_attempt_timeout(TIME_LIMIT).build(),
        );
        let answer = self
            .metering_client()
            .batch_meter_usage()
            .set_product_code(product.map(|record| record.product.to_string()))
            .set_usage_records(Some(sent))
            .customize()
            .config_override(once)
            .mutate_request(move |request| {
                // Without its quantities AWS would book 0. If the rewrite fails, the body is empty: AWS refuses it, and
                // the records are sent again.
                let body = request.body().bytes().and_then(|body| rewrite(body, &quantities)).unwrap_or_default();
                request.headers_mut().insert("content-length", body.len().to_string());
                *request.body_mut() = body.into();
            })
            .send()
            .await;
        self.outcomes.record("aws-marketplace:BatchMeterUsage", &answer);
        match answer {
            Ok(answer) => read_answer(records, &answer),
            Err(error) => read_refusal(&error),
        }
    }
}

fn usage_record(record: &HourlyRecord) -> Result<UsageRecord, BuildError> {
    let allocations = record.allocations.iter().map(usage_allocation).collect::<Result<Vec<_>, _>>()?;
    let usage = UsageRecord::builder()
        .timestamp(DateTime::from_secs(record.timestamp.as_second()))
        .dimension(record.name.dimension.as_str())
        .set_quantity(whole(record.quantity))
        .set_usage_allocations(Some(allocations).filter(|allocations| !allocations.is_empty()));
    match &record.buyer {
        Some(Buyer::License { arn, account }) => {
            usage.license_arn(arn.as_str()).customer_aws_account_id(account.as_str()).build()
        }
        Some(Buyer::Customer { customer }) => usage.customer_identifier(customer.as_str()).build(),
        None => usage.build(),
    }
}

fn usage_allocation(part: &Allocation) -> Result<UsageAllocation, BuildError> {
    let tags = part.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    UsageAllocation::builder()
        .allocated_usage_quantity(whole(part.quantity).unwrap_or_default())
        .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
        .build()
}

fn whole(quantity: Quantity) -> Option<i32> {
    let amount = quantity.amount();
    amount.is_integer().then(|| amount.to_i32()).flatten()
}

/// The quantities of a record that are not whole, for which the SDK (1.124) has no field yet. A record and its
/// allocations must have the same type of quantity, so one fraction makes all of them decimals.
struct DecimalQuantities {
    /// `QuantityAsDecimal`, if it is needed.
    quantity: Option<String>,
    /// `AllocatedUsageQuantityAsDecimal` of each allocation.
    allocations: Vec<String>,
}

impl DecimalQuantities {
    fn of(record: &HourlyRecord) -> Self {
        let all = || std::iter::once(record.quantity).chain(record.allocations.iter().map(|part| part.quantity));
        if all().all(|quantity| whole(quantity).is_some()) {
            return Self { quantity: None, allocations: Vec::new() };
        }
        let allocations = record.allocations.iter().map(|part| part.quantity.to_string()).collect();
        Self { quantity: Some(record.quantity.to_string()), allocations }
    }
}

/// Returns the request's body as AWS documents it. The SDK (1.124) writes an empty CustomerIdentifier into every record
/// that has none, and has no fields for decimal quantities yet.
fn rewrite(body: &[u8], quantities: &[DecimalQuantities]) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let records = body.get_mut("UsageRecords")?.as_array_mut()?;
    for (record, decimals) in records.iter_mut().zip(quantities) {
        let record = record.as_object_mut()?;
        if record.get("CustomerIdentifier").and_then(Value::as_str) == Some("") {
            record.remove("CustomerIdentifier");
        }
        let Some(quantity) = &decimals.quantity else { continue };
        record.remove("Quantity");
        record.insert("QuantityAsDecimal".to_owned(), Value::from(quantity.as_str()));
        let Some(allocations) = record.get_mut("UsageAllocations") else { continue };
        for (allocation, quantity) in allocations.as_array_mut()?.iter_mut().zip(&decimals.allocations) {
            let allocation = allocation.as_object_mut()?;
            allocation.remove("AllocatedUsageQuantity");
            allocation.insert("AllocatedUsageQuantityAsDecimal".to_owned(), Value::from(quantity.as_str()));
        }
    }
    serde_json::to_vec(&body).ok()
}

/// Reads an answer by the content of its records, because AWS promises no order. A record that is in neither list, or
/// has an unknown status, was not answered.
fn read_answer(sent: &[HourlyRecord], answer: &BatchMeterUsageOutput) -> Answer {
    let mut statuses = Vec::new();
    for result in answer.results() {
        let status = match result.status() {
            Some(UsageRecordResultStatus::Success) => {
                Status::Success { metering_record_id: result.metering_record_id().map(str::to_owned) }
            }
            Some(UsageRecordResultStatus::DuplicateRecord) => Status::Duplicate,
            Some(UsageRecordResultStatus::CustomerNotSubscribed) => Status::NotSubscribed,
            _ => continue,
        };
        statuses.extend(result.usage_record().and_then(|record| name_of(sent, record)).map(|name| (name, status)));
    }
    for record in answer.unprocessed_records() {
        statuses.extend(name_of(sent, record).map(|name| (name, Status::Unprocessed)));
    }
    Answer::Records(statuses)
}

/// Returns the name of the sent record that an answer is about.
fn name_of(sent: &[HourlyRecord], answered: &UsageRecord) -> Option<RecordName> {
    let at = jiff::Timestamp::from_second(answered.timestamp().secs()).ok()?;
    let by_license = answered.license_arn().and_then(|arn| arn.parse::<LicenseArn>().ok());
    let is_it = |record: &&HourlyRecord| {
        let same_license = match (&by_license, &record.buyer) {
            (Some(arn), _) => *arn.id() == record.name.license,
            (None, Some(Buyer::Customer { customer })) => {
                customer.as_str() == answered.customer_identifier()
                    && record.name.license == LicenseId::legacy(&record.product, customer)
            }
            (None, _) => false,
        };
        same_license && record.name.dimension.as_str() == answered.dimension() && record.name.hour == UsageHour::of(at)
    };
    sent.iter().find(is_it).map(|record| record.name.clone())
}

/// Reads a call that failed as a whole. Only an AWS error with a 4xx status proves that nothing was booked; an unknown
/// code among these counts as temporary.
fn read_refusal(error: &SdkError<BatchMeterUsageError>) -> Answer {
    if let SdkError::ConstructionFailure(_) = error {
        return Answer::NotBooked("the request could not be made".to_owned());
    }
    let is_client_error = error.raw_response().is_some_and(|response| response.status().is_client_error());
    let Some(code) = error.code().filter(|_| is_client_error) else { return Answer::Nothing };
    let owned = code.to_owned();
    match code {
        "AccessDeniedException" | "DisabledApiException" | "InvalidProductCodeException" => {
            Answer::Rejected(Rejection::Configuration(owned))
        }
        "InvalidUsageDimensionException" => Answer::Rejected(Rejection::Dimension(owned)),
        "TimestampOutOfBoundsException" => Answer::Rejected(Rejection::Timestamp),
        "InvalidTagException"
        | "InvalidUsageAllocationsException"
        | "InvalidLicenseException"
        | "InvalidCustomerIdentifierException"
        | "ValidationException" => Answer::Rejected(Rejection::Data(owned)),
        "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => Answer::NotBooked(owned),
        _ => Answer::NotKnown(owned),
    }
}
