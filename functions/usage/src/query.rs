//! The hourly records of a license, with their states, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::allocation::Allocation;
use domain::ids::{DimensionKey, LicenseId};
use domain::metering::{AcceptedBy, HourlyRecord, RecordName, RecordState};
use domain::schema::Amount;
use domain::time::{Rfc3339, UsageHour};
use domain::usage::Quantity;
use jiff::{SignedDuration, Timestamp};
use lambda::http::contract::{
    Failed, Forbidden, LicensePath, LicenseUnknown, ParameterInvalid, TooLarge, TooMany, Unavailable,
};
use lambda::http::extract::{Limit, Path, Query};
use lambda::http::{ApiError, Problem};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::context::Context;

/// The number of records or problems of a page.
pub(crate) type PageLimit = Limit<100, 500>;

/// The period that is listed if the caller does not give one.
const DEFAULT_PERIOD: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The parameters of the list of a license's records.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// A moment of the first hour; by default 31 days before `to`.
    #[param(value_type = Option<Timestamp>, example = "2026-11-01T00:00:00Z")]
    from: Option<Rfc3339>,
    /// A moment of the last hour; by default now.
    #[param(value_type = Option<Timestamp>, example = "2026-11-30T23:00:00Z")]
    to: Option<Rfc3339>,
    /// The largest number of records in the page.
    #[serde(default)]
    #[param(inline)]
    limit: PageLimit,
    /// The `next` of the page before, unchanged. Any other value is answered 400 `parameter_invalid`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

/// A page of a license's records.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordsOfLicense)]
pub(crate) struct History {
    license: LicenseId,
    /// The first hour of the list.
    from: UsageHour,
    /// The last hour of the list.
    to: UsageHour,
    #[schema(max_items = 500)]
    records: Vec<RecordView>,
    /// The `cursor` of the next page; null after the last.
    next: Option<String>,
}

/// An hourly record: the sum of a license's usage in one dimension and one hour, as it is reported to AWS.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordView {
    /// The record's name.
    #[schema(value_type = RecordName)]
    record: String,
    license: LicenseId,
    hour: UsageHour,
    dimension: DimensionKey,
    /// The time that is reported to AWS.
    timestamp: Timestamp,
    /// The quantity that is billed for the hour.
    #[schema(value_type = Amount)]
    quantity: Quantity,
    /// The quantity broken down by tags. Absent where nothing is tagged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(min_items = 1, max_items = 2500)]
    allocations: Vec<Allocation>,
    /// The part of the hour's usage that the quantity stands for, where a contract includes some.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Amount)]
    used: Option<Decimal>,
    /// The usage of the hour that a later hour bills.
    #[schema(value_type = Amount)]
    carried: Decimal,
    state: RecordState,
    /// AWS answered `DuplicateRecord` after an attempt without an answer: most likely it had booked that attempt.
    /// Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unverified: bool,
    /// The number of times that it was sent.
    #[schema(format = "int64")]
    attempts: u32,
}

/// Lists a license's hourly records with their states, newest first.
///
/// The list has the hours from one moment to another, both included. `from` must not be after `to`.
#[utoipa::path(
    get,
    path = "/v1/licenses/{license}/usage",
    operation_id = "listRecordsOfLicense",
    tag = "usage",
    params(LicensePath, HistoryQuery),
    responses(
        (status = 200, description = "A page of records.", body = History),
        ParameterInvalid, Forbidden, LicenseUnknown, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn records(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(HistoryQuery { from, to, limit, cursor }): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let store = &context.store;
    let to = UsageHour::of(to.map_or_else(|| store.clock().now(), |Rfc3339(to)| to));
    let from = from.map(|Rfc3339(from)| from).or_else(|| to.start().checked_sub(DEFAULT_PERIOD).ok());
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
