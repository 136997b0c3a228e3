//! What became of a license's usage: its hourly records with their states, newest first.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;
use stallkeeper::allocation::Allocation;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::ids::{DimensionKey, LicenseId};
use stallkeeper::metering::{AcceptedBy, HourlyRecord, RecordState};
use stallkeeper::store::Store;
use stallkeeper::time::{Rfc3339, UsageHour};
use stallkeeper::usage::Quantity;

/// How long a page is where the caller does not say.
const PAGE: i32 = 100;
const LONGEST_PAGE: i32 = 500;

/// How far back is looked where the caller does not say.
const BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

#[derive(Serialize)]
struct Records<'a> {
    license: &'a LicenseId,
    from: UsageHour,
    to: UsageHour,
    records: Vec<RecordView<'a>>,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

/// A record, as the application sees it.
#[derive(Serialize)]
pub(crate) struct RecordView<'a> {
    /// Its name, as it stands in the path of a requeue.
    record: String,
    license: &'a LicenseId,
    hour: UsageHour,
    dimension: &'a DimensionKey,
    /// The time that AWS is told.
    timestamp: Timestamp,
    /// What is billed for the hour.
    quantity: Quantity,
    /// The same, broken down by tags.
    #[serde(skip_serializing_if = "<[Allocation]>::is_empty")]
    allocations: &'a [Allocation],
    /// How much of the hour's usage that stands for, where a contract includes some.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Decimal>,
    /// What the hour holds beyond that, and a later hour bills.
    carried: Decimal,
    state: &'a RecordState,
    /// That AWS answered DuplicateRecord after an attempt without an answer: most likely it had booked that attempt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unverified: bool,
    /// How often it was sent.
    attempts: u32,
}

/// `GET /v1/licenses/{license}/usage?from=&to=&limit=&cursor=`: hours from one moment to another, both included.
pub(crate) async fn records(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&["from", "to", "limit", "cursor"])?;
    let license: LicenseId = license.parse().map_err(|error| Problem::invalid("license", error))?;
    let now = store.clock().now();
    let to = UsageHour::of(moment(request, "to")?.unwrap_or(now));
    let from = moment(request, "from")?.or_else(|| to.start().checked_sub(BACK).ok()).unwrap_or(Timestamp::MIN);
    let from = UsageHour::of(from);
    if from > to {
        return Err(Problem::invalid("from", "must not be after `to`").into());
    }
    let limit = page_size(request)?;
    if store.license(&license).await?.is_none() {
        return Err(Problem::license_unknown(&license).into());
    }
    let page = store.records_between(&license, (from, to), request.parameter("cursor"), limit).await?;
    let records = page.records.iter().map(view).collect();
    Ok(Response::json(StatusCode::OK, &Records { license: &license, from, to, records, next: page.next }))
}

pub(crate) fn view(record: &HourlyRecord) -> RecordView<'_> {
    RecordView {
        record: record.name.to_string(),
        license: &record.name.license,
        hour: record.name.hour,
        dimension: &record.name.dimension,
        timestamp: record.timestamp,
        quantity: record.quantity,
        allocations: &record.allocations,
        used: record.counted,
        carried: record.carried,
        state: &record.state,
        unverified: matches!(record.state, RecordState::Accepted { by: AcceptedBy::Duplicate, .. }),
        attempts: record.attempts,
    }
}

fn moment(request: &Request, name: &str) -> Result<Option<Timestamp>, Problem> {
    let moment: Option<Rfc3339> =
        request.parameter(name).map(str::parse).transpose().map_err(|error| Problem::invalid(name, error))?;
    Ok(moment.map(|Rfc3339(moment)| moment))
}

/// How many records or problems a page has at most.
pub(crate) fn page_size(request: &Request) -> Result<i32, Problem> {
    request.limit(PAGE, LONGEST_PAGE)
}
