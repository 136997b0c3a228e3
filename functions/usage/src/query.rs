//! What became of a license's usage: its hourly records with their states, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use stallkeeper::allocation::Allocation;
use stallkeeper::http::extract::{Limit, Path, Query};
use stallkeeper::http::{ApiError, Problem};
use stallkeeper::ids::{DimensionKey, LicenseId};
use stallkeeper::metering::{AcceptedBy, HourlyRecord, RecordState};
use stallkeeper::time::{Rfc3339, UsageHour};
use stallkeeper::usage::Quantity;

use crate::Context;

/// How many records or problems a page has.
pub(crate) type PageLimit = Limit<100, 500>;

/// How far back is looked where the caller does not say.
const BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The parameters of the list of a license's records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// The first hour has this moment in it; 31 days before `to` where it is not given.
    from: Option<Rfc3339>,
    /// The last hour has this moment in it; now where it is not given.
    to: Option<Rfc3339>,
    #[serde(default)]
    limit: PageLimit,
    cursor: Option<String>,
}

/// A page of a license's records.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    license: LicenseId,
    from: UsageHour,
    to: UsageHour,
    records: Vec<RecordView>,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

/// A record, as the application sees it.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView {
    /// Its name, as it stands in the path of a requeue.
    record: String,
    license: LicenseId,
    hour: UsageHour,
    dimension: DimensionKey,
    /// The time that AWS is told.
    timestamp: Timestamp,
    /// What is billed for the hour.
    quantity: Quantity,
    /// The same, broken down by tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allocations: Vec<Allocation>,
    /// How much of the hour's usage that stands for, where a contract includes some.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Decimal>,
    /// What the hour holds beyond that, and a later hour bills.
    carried: Decimal,
    state: RecordState,
    /// That AWS answered DuplicateRecord after an attempt without an answer: most likely it had booked that attempt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unverified: bool,
    /// How often it was sent.
    attempts: u32,
}

/// `GET /v1/licenses/{license}/usage?from=&to=&limit=&cursor=`: hours from one moment to another, both included.
pub(crate) async fn records(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(HistoryQuery { from, to, limit, cursor }): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let store = &context.store;
    let to = UsageHour::of(to.map_or_else(|| store.clock().now(), |Rfc3339(to)| to));
    let from = from.map(|Rfc3339(from)| from).or_else(|| to.start().checked_sub(BACK).ok());
    let from = UsageHour::of(from.unwrap_or(Timestamp::MIN));
    if from > to {
        return Err(Problem::invalid("from", "must not be after `to`").into());
    }
    if store.license(&license).await?.is_none() {
        return Err(Problem::license_unknown(&license).into());
    }
    let page = store.records_between(&license, (from, to), cursor.as_deref(), limit.get()).await?;
    let records = page.records.into_iter().map(RecordView::from).collect();
    Ok(Json(History { license, from, to, records, next: page.next }))
}

impl From<HourlyRecord> for RecordView {
    fn from(record: HourlyRecord) -> Self {
        Self {
            record: record.name.to_string(),
            license: record.name.license,
            hour: record.name.hour,
            dimension: record.name.dimension,
            timestamp: record.timestamp,
            quantity: record.quantity,
            allocations: record.allocations,
            used: record.counted,
            carried: record.carried,
            unverified: matches!(record.state, RecordState::Accepted { by: AcceptedBy::Duplicate, .. }),
            state: record.state,
            attempts: record.attempts,
        }
    }
}
