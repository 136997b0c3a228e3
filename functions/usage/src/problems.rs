//! Pending records, problems that an operator must resolve, and requeueing a record after a fix.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::audit::AuditEntry;
use domain::ids::{DimensionKey, LicenseId, ProductCode};
use domain::ledger::{Content, ContestedKey};
use domain::metering::{HourlyRecord, RecordName, RecordState};
use domain::schema::Amount;
use domain::time::UsageHour;
use domain::usage::KeyHash;
use http::StatusCode;
use jiff::Timestamp;
use lambda::http::contract::{Failed, Forbidden, ParameterInvalid, TooLarge, TooMany, Unavailable};
use lambda::http::extract::{Caller, NoParameters, Parsed, Path, Query};
use lambda::http::{ApiError, Problem as ProblemDocument};
use lambda::metrics::Metric;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::{Listed, Note, NoteKind, Pause, Problem, ProblemKind, StoreError};
use utoipa::{IntoParams, ToSchema};

use crate::context::Context;
use crate::problem_responses::{RecordNotRequeueable, RecordUnknown};
use crate::query::{PageLimit, RecordView};

/// A page of records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Records {
    #[schema(max_items = 500)]
    records: Vec<RecordView>,
    /// The `cursor` of the next page; null after the last.
    next: Option<String>,
}

impl Records {
    fn of(page: Listed<HourlyRecord>) -> Self {
        Self { records: page.found.into_iter().map(RecordView::from).collect(), next: page.next }
    }
}

/// A page of problems.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageProblems)]
pub(crate) struct Problems {
    #[schema(max_items = 500)]
    problems: Vec<ProblemView>,
    /// The `cursor` of the next page; null after the last.
    next: Option<String>,
}

/// A problem with usage that an operator must resolve.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = UsageProblem)]
struct ProblemView {
    #[schema(value_type = ProblemKind)]
    kind: &'static str,
    /// The record's name, for a requeue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RecordName)]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ProductCode)]
    product: Option<ProductCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LicenseId)]
    license: Option<LicenseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UsageHour)]
    hour: Option<UsageHour>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DimensionKey)]
    dimension: Option<DimensionKey>,
    /// The amount of usage that the problem is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Amount)]
    quantity: Option<Decimal>,
    /// The key that was reported with several contents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ReportedView)]
    reported: Option<ReportedView>,
    /// The reason: AWS's, or a code of this API.
    reason: String,
    /// The time since which there is the problem.
    since: Timestamp,
    /// The time until which AWS accepts the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    window_closes: Option<Timestamp>,
    /// AWS may still accept the record if it is sent again.
    requeue: bool,
    /// The next step for the operator.
    action: &'static str,
}

/// A key that was reported with several contents in one revision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContestedKey)]
struct ReportedView {
    key_hash: KeyHash,
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    revision: u32,
    /// The contents; the first counts.
    #[schema(min_items = 2, max_items = 10)]
    contents: Vec<Content>,
}

impl From<ContestedKey> for ReportedView {
    fn from(ContestedKey { key, revision, contents }: ContestedKey) -> Self {
        Self { key_hash: key, revision, contents }
    }
}

/// The parameters of a list of records.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordsQuery {
    /// The largest number of records in the page.
    #[serde(default)]
    #[param(inline)]
    limit: PageLimit,
    /// The `next` of the page before, unchanged. Any other value is answered 400 `parameter_invalid`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

/// The parameters of the list of problems.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProblemsQuery {
    /// Lists only the problems of this kind.
    kind: Option<ProblemKind>,
    /// The largest number of problems in the page.
    #[serde(default)]
    #[param(inline)]
    limit: PageLimit,
    /// The `next` of the page before, unchanged. Any other value is answered 400 `parameter_invalid`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

/// Lists the records that AWS has not decided about yet.
#[utoipa::path(
    get,
    path = "/v1/usage/pending",
    operation_id = "listPendingRecords",
    tag = "usage",
    params(RecordsQuery),
    responses(
        (status = 200, description = "A page of records.", body = Records),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn pending(
    State(context): State<Arc<Context>>,
    Query(RecordsQuery { limit, cursor }): Query<RecordsQuery>,
) -> Result<Json<Records>, ApiError> {
    let page = context.store.pending_records(cursor.as_deref(), limit.get()).await?;
    Ok(Json(Records::of(page)))
}

/// Lists the records that count as booked and are not verified.
///
/// AWS answered `DuplicateRecord` after an attempt without an answer: most likely it had booked that attempt. There is
/// nothing to do about these records, unless another program meters the product.
#[utoipa::path(
    get,
    path = "/v1/usage/unverified",
    operation_id = "listUnverifiedRecords",
    tag = "usage",
    params(RecordsQuery),
    responses(
        (status = 200, description = "A page of records.", body = Records),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn unverified(
    State(context): State<Arc<Context>>,
    Query(RecordsQuery { limit, cursor }): Query<RecordsQuery>,
) -> Result<Json<Records>, ApiError> {
    let page = context.store.unverified_records(cursor.as_deref(), limit.get()).await?;
    Ok(Json(Records::of(page)))
}

/// Lists the problems that an operator must resolve, each with its reason and the next step.
#[utoipa::path(
    get,
    path = "/v1/usage/problems",
    operation_id = "listUsageProblems",
    tag = "usage",
    params(ProblemsQuery),
    responses(
        (status = 200, description = "A page of problems.", body = Problems),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn problems(
    State(context): State<Arc<Context>>,
    Query(ProblemsQuery { kind, limit, cursor }): Query<ProblemsQuery>,
) -> Result<Json<Problems>, ApiError> {
    let page = context.store.problems(kind, cursor.as_deref(), limit.get()).await?;
    let now = context.store.clock().now();
    let found = context.without_verified_products(page.found).await?;
    let problems = found.into_iter().map(|problem| problem_view(problem, now)).collect();
    Ok(Json(Problems { problems, next: page.next }))
}

/// Sends a record again as it is, after a repair.
///
/// The record is one that AWS refused, that AWS may have booked, or that was not sent in a dry run. Its hour and
/// quantity stay. The audit log has the caller.
#[utoipa::path(
    post,
    path = "/v1/usage/{record}/requeue",
    operation_id = "requeueRecord",
    tag = "usage",
    params((
        "record" = RecordName, Path,
        description = "The record's name.",
        example = "l-0123456789abcdef0123456789abcdef@2026-11-10T09@requests",
    )),
    responses(
        (status = 200, description = "The record, to be sent again.", body = RecordView),
        ParameterInvalid, Forbidden, RecordUnknown, RecordNotRequeueable, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn requeue(
    State(context): State<Arc<Context>>,
    Path(Parsed(name)): Path<Parsed<RecordName>>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
) -> Result<Json<RecordView>, ApiError> {
    let now = context.store.clock().now();
    let before = context.store.record(&name).await?.ok_or_else(|| record_unknown(&name))?;
    context.may_be_requeued(&before, now)?;
    let after = HourlyRecord { not_before: now, ..before.with_state_at(RecordState::Sealed, now) };
    let was = [
        ("state", before.state.name().to_owned()),
        ("reason", reason_of(&before.state)),
        ("attempts", before.attempts.to_string()),
    ];
    let entry = AuditEntry::new(caller.arn(), "usage.requeue", &name, was, now);
    if !context.store.requeue(&before, &after, &entry).await? {
        let changed = ProblemDocument::new(StatusCode::CONFLICT, "record_changed", "The record changed meanwhile.");
        return Err(changed.detail(&name).action("Read the record again.").into());
    }
    context.count(&[(Metric::RecordsRequeued, 1)]);
    let (license, hour, dimension) = (&name.license, &name.hour, &name.dimension);
    tracing::info!(%license, %hour, %dimension, audit = %entry.id, "Requeued a record");
    Ok(Json(RecordView::from(after)))
}

impl Context {
    /// Removes the unverified records of products of which AWS has shown no foreign booking: AWS booked our attempts.
    async fn without_verified_products(&self, found: Vec<Problem>) -> Result<Vec<Problem>, StoreError> {
        let unverified = found.iter().filter_map(unverified_product);
        let products: BTreeSet<ProductCode> = unverified.cloned().collect();
        let mut foreign = BTreeSet::new();
        for product in products {
            if self.store.has_foreign_booking(&product).await? {
                foreign.insert(product);
            }
        }
        let is_problem =
            |problem: &Problem| unverified_product(problem).is_none_or(|product| foreign.contains(product));
        Ok(found.into_iter().filter(is_problem).collect())
    }

    fn may_be_requeued(&self, record: &HourlyRecord, now: Timestamp) -> Result<(), ProblemDocument> {
        let refuse = |code, title, detail: String, action| {
            Err(ProblemDocument::new(StatusCode::CONFLICT, code, title).detail(detail).action(action))
        };
        if self.dry_run {
            return refuse(
                "reporter_dry_run",
                "The reporter sends nothing.",
                "the stack is in dry run".to_owned(),
                "Deploy the stack with Reporter=send first.",
            );
        }
        match &record.state {
            RecordState::Refused { .. } | RecordState::Unconfirmed { .. } | RecordState::DryRun => {}
            RecordState::Held { .. }
            | RecordState::Sealed
            | RecordState::Claimed { .. }
            | RecordState::Accepted { .. }
            | RecordState::Conflict
            | RecordState::Expired
            | RecordState::Folded { .. } => {
                return refuse(
                    "record_not_requeueable",
                    "This record is not sent again.",
                    format!("{} is {}", record.name, record.state.name()),
                    "Only records that AWS refused, may have booked, or were not sent in a dry run can be sent again.",
                );
            }
        }
        if now >= record.window_closes() {
            return refuse(
                "window_closed",
                "AWS no longer accepts this record.",
                format!("its window closed at {}", record.window_closes()),
                "Settle it with the buyer outside of AWS's metering.",
            );
        }
        Ok(())
    }
}

/// Returns the product of an unverified record; `None` for any other problem.
fn unverified_product(problem: &Problem) -> Option<&ProductCode> {
    match problem {
        Problem::Record(record) => matches!(record.state, RecordState::Accepted { .. }).then_some(&record.product),
        Problem::Note(_) | Problem::Pause(_) => None,
    }
}

fn record_unknown(name: &RecordName) -> ProblemDocument {
    ProblemDocument::new(StatusCode::NOT_FOUND, "record_unknown", "The record is unknown.")
        .detail(name)
        .action("Take the record's name from /v1/usage/problems.")
}

fn problem_view(problem: Problem, now: Timestamp) -> ProblemView {
    match problem {
        Problem::Record(record) => record_view(&record, now),
        Problem::Note(note) => note_view(note),
        Problem::Pause(pause) => pause_view(pause),
    }
}

fn record_view(record: &HourlyRecord, now: Timestamp) -> ProblemView {
    let is_open = record.is_open(now);
    let (requeue, action) = match &record.state {
        RecordState::Held { .. } => (
            false,
            "It is sent as soon as AWS names its buyer. Check that the buyer registered, and the listing's mode.",
        ),
        RecordState::Conflict => {
            (false, "Another program reports this listing's usage. Find it, and settle the difference with the buyer.")
        }
        RecordState::Refused { .. } if is_open => (true, "Fix what the reason says, then requeue the record."),
        RecordState::Refused { .. } => (false, "AWS no longer accepts it: settle it with the buyer."),
        RecordState::Unconfirmed { .. } if is_open => {
            (true, "Requeue it: AWS books it only once. Otherwise, check the buyer's bill.")
        }
        RecordState::Unconfirmed { .. } => (false, "Check the buyer's bill: AWS may have booked it."),
        RecordState::Expired => {
            (false, "AWS no longer accepts it: settle it with the buyer, and find out why it was not sent in time.")
        }
        RecordState::Accepted { .. } => (
            false,
            "Another program reports this listing's usage. Compare the quantity with the buyer's bill: AWS may have booked \
             the quantity of that program.",
        ),
        RecordState::Sealed | RecordState::Claimed { .. } | RecordState::Folded { .. } | RecordState::DryRun => {
            (false, "Nothing: the record is being sent.")
        }
    };
    let is_unverified = matches!(record.state, RecordState::Accepted { .. });
    ProblemView {
        kind: if is_unverified { ProblemKind::Unverified.name() } else { record.state.name() },
        record: Some(record.name.to_string()),
        product: Some(record.product.clone()),
        quantity: Some(record.quantity.amount()),
        reason: reason_of(&record.state),
        since: record.since,
        window_closes: Some(record.window_closes()),
        requeue,
        action,
        ..about(&record.name)
    }
}

/// Returns the reason of a record's state: AWS's, or a code of this API.
fn reason_of(state: &RecordState) -> String {
    match state {
        RecordState::Held { .. } => "buyer_unknown".to_owned(),
        RecordState::Refused { reason } | RecordState::Unconfirmed { reason } => reason.clone(),
        RecordState::Expired => "window_closed".to_owned(),
        RecordState::Conflict | RecordState::Accepted { .. } => "DuplicateRecord".to_owned(),
        RecordState::Sealed | RecordState::Claimed { .. } | RecordState::Folded { .. } | RecordState::DryRun => {
            state.name().to_owned()
        }
    }
}

fn note_view(note: Note) -> ProblemView {
    let (reason, action) = match note.note {
        NoteKind::Overbilled => (
            "records_exceed_usage",
            "This is a defect: do not change the table, report it to the developers, and refund the buyer.",
        ),
        NoteKind::Uncarried => {
            ("no_open_hour", "It cannot be billed once its month is closed: settle it with the buyer.")
        }
        NoteKind::PeriodUnknown => (
            "agreement_start_unknown",
            "It is billed as soon as AWS reports the start of the agreement; check DescribeAgreement.",
        ),
        NoteKind::KeyReused => (
            "key_has_several_contents",
            "The content that was received first counts. Correct it with a higher revision while its hour is open, or \
             report the missing quantity as a new event.",
        ),
        NoteKind::IncludedUnknown => (
            "entitlement_unknown",
            "It is billed as soon as AWS reports what the contract includes; check GetEntitlements.",
        ),
    };
    ProblemView {
        kind: note.note.problem().name(),
        quantity: Some(note.amount),
        reported: note.contested.map(ReportedView::from),
        reason: reason.to_owned(),
        since: note.since,
        action,
        ..about(&note.about)
    }
}

fn pause_view(pause: Pause) -> ProblemView {
    ProblemView {
        kind: ProblemKind::Paused.name(),
        product: Some(pause.product),
        dimension: pause.dimension,
        reason: pause.reason,
        since: pause.since,
        action: "Fix what the reason says in AWS. Every run of the reporter retries, and nothing is lost while the window is open.",
        ..ProblemView::default()
    }
}

fn about(name: &RecordName) -> ProblemView {
    ProblemView {
        license: Some(name.license.clone()),
        hour: Some(name.hour),
        dimension: Some(name.dimension.clone()),
        ..ProblemView::default()
    }
}
