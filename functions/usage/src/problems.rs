//! What is not billed yet, what a person must look at, and sending a record again after a mend.

use http::StatusCode;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use stallkeeper::audit::AuditEntry;
use stallkeeper::http::{Problem as ProblemDocument, Refusal, Request, Response};
use stallkeeper::ids::{DimensionKey, LicenseId, ProductCode};
use stallkeeper::metering::{HourlyRecord, RecordName, RecordState};
use stallkeeper::metrics::Metric;
use stallkeeper::store::{Note, NoteKind, Pause, Problem, ProblemKind};
use stallkeeper::time::UsageHour;

use crate::UsageApi;
use crate::query::{RecordView, page_size, view};

#[derive(Serialize)]
struct Listed<T> {
    #[serde(flatten)]
    list: T,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

#[derive(Serialize)]
struct Pending<'a> {
    records: Vec<RecordView<'a>>,
}

#[derive(Serialize)]
struct Problems {
    problems: Vec<ProblemView>,
}

/// One thing that a person must look at.
#[derive(Debug, Default, Serialize)]
struct ProblemView {
    kind: &'static str,
    /// The record, as it is named in the path of a requeue.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<ProductCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<LicenseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<UsageHour>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension: Option<DimensionKey>,
    /// How much usage it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<Decimal>,
    reason: String,
    since: Timestamp,
    /// Until when AWS takes the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_closes: Option<Timestamp>,
    /// Whether it can be sent again.
    requeue: bool,
    /// What to do.
    action: &'static str,
}

impl UsageApi {
    /// `GET /v1/usage/pending?limit=&cursor=`: the records that are not decided yet.
    pub(crate) async fn pending(&self, request: &Request) -> Result<Response, Refusal> {
        request.only_parameters(&["limit", "cursor"])?;
        let limit = page_size(request)?;
        let page = self.store.pending_records(request.parameter("cursor"), limit).await?;
        let list = Pending { records: page.found.iter().map(view).collect() };
        Ok(Response::json(StatusCode::OK, &Listed { list, next: page.next }))
    }

    /// `GET /v1/usage/problems?kind=&limit=&cursor=`: what a person must look at, with the reason and what to do.
    pub(crate) async fn problems(&self, request: &Request) -> Result<Response, Refusal> {
        request.only_parameters(&["kind", "limit", "cursor"])?;
        let kind = request.parameter("kind").map(read_kind).transpose()?;
        let limit = page_size(request)?;
        let page = self.store.problems(kind, request.parameter("cursor"), limit).await?;
        let now = self.store.clock().now();
        let problems = page.found.into_iter().map(|problem| problem_view(problem, now)).collect();
        Ok(Response::json(StatusCode::OK, &Listed { list: Problems { problems }, next: page.next }))
    }

    /// `POST /v1/usage/{record}/requeue`: sends a record again that AWS refused, as it is. Its hour and quantity stay.
    pub(crate) async fn requeue(&self, request: &Request, record: &str) -> Result<Response, Refusal> {
        request.only_parameters(&[])?;
        let name: RecordName = record.parse().map_err(|error| ProblemDocument::invalid("record", error))?;
        let now = self.store.clock().now();
        let before = self.store.record(&name).await?.ok_or_else(|| record_unknown(&name))?;
        self.may_be_requeued(&before, now)?;
        let after = HourlyRecord { not_before: now, ..before.become_at(RecordState::Sealed, now) };
        let was = [
            ("state", before.state.name().to_owned()),
            ("reason", reason_of(&before.state)),
            ("attempts", before.attempts.to_string()),
        ];
        let entry = AuditEntry::new(request.caller.as_deref(), "usage.requeue", &name, was, now);
        if !self.store.requeue(&before, &after, &entry).await? {
            let changed = ProblemDocument::new(StatusCode::CONFLICT, "record_changed", "The record changed meanwhile.");
            return Err(changed.detail(&name).action("Look at the record again.").into());
        }
        self.count(&[(Metric::RecordsRequeued, 1)]);
        let (license, hour, dimension) = (&name.license, &name.hour, &name.dimension);
        tracing::info!(%license, %hour, %dimension, audit = %entry.id, "a record was requeued");
        Ok(Response::json(StatusCode::OK, &view(&after)))
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
                "AWS takes this record no more.",
                format!("its window closed at {}", record.window_closes()),
                "Settle it with the buyer outside of AWS's metering.",
            );
        }
        Ok(())
    }
}

fn read_kind(text: &str) -> Result<ProblemKind, ProblemDocument> {
    text.parse().map_err(|error| ProblemDocument::invalid("kind", error))
}

fn record_unknown(name: &RecordName) -> ProblemDocument {
    ProblemDocument::new(StatusCode::NOT_FOUND, "record_unknown", "There is no such record.")
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
    let is_open = now < record.window_closes();
    let (requeue, action) = match &record.state {
        RecordState::Held { .. } => (
            false,
            "It is sent as soon as AWS names its buyer: check that the buyer registered, and the listing's mode.",
        ),
        RecordState::Conflict => {
            (false, "Something else reports this listing's usage. Find it, and settle the difference with the buyer.")
        }
        RecordState::Refused { .. } if is_open => (true, "Mend what the reason says, then requeue it."),
        RecordState::Refused { .. } => (false, "AWS takes it no more: settle it with the buyer."),
        RecordState::Unconfirmed { .. } if is_open => {
            (true, "Requeue it: AWS books it once. Otherwise look it up in the buyer's bill.")
        }
        RecordState::Unconfirmed { .. } => (false, "Look it up in the buyer's bill: AWS may have booked it."),
        RecordState::Expired => (false, "AWS takes it no more: settle it with the buyer, and find what kept it."),
        RecordState::Sealed
        | RecordState::Claimed { .. }
        | RecordState::Accepted { .. }
        | RecordState::Folded { .. }
        | RecordState::DryRun => (false, "Nothing: it is on its way."),
    };
    ProblemView {
        kind: record.state.name(),
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

/// Why a record is in its state, in AWS's words or ours.
fn reason_of(state: &RecordState) -> String {
    match state {
        RecordState::Held { .. } => "buyer_unknown".to_owned(),
        RecordState::Refused { reason } | RecordState::Unconfirmed { reason } => reason.clone(),
        RecordState::Expired => "window_closed".to_owned(),
        RecordState::Conflict => "DuplicateRecord".to_owned(),
        RecordState::Sealed
        | RecordState::Claimed { .. }
        | RecordState::Accepted { .. }
        | RecordState::Folded { .. }
        | RecordState::DryRun => state.name().to_owned(),
    }
}

fn note_view(note: Note) -> ProblemView {
    let (reason, action) = match note.note {
        NoteKind::Overbilled => (
            "more_in_records_than_used",
            "It cannot arise by design: keep the table as it is, tell the developers, and refund the buyer.",
        ),
        NoteKind::Uncarried => {
            ("no_hour_can_take_it", "Once its month is closed it is not billed any more: settle it with the buyer.")
        }
        NoteKind::PeriodUnknown => (
            "agreement_start_unknown",
            "It is billed as soon as AWS tells when the agreement began; check DescribeAgreement.",
        ),
        NoteKind::IncludedUnknown => (
            "entitlement_unknown",
            "It is billed as soon as AWS tells what the contract includes; check GetEntitlements.",
        ),
    };
    ProblemView {
        kind: note.note.problem().name(),
        quantity: Some(note.amount),
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
        action: "Mend what the reason says at AWS; every run tries again, and nothing is lost while the window is open.",
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
