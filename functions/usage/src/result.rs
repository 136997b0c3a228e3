//! The results of events: the answer to a report of usage.

use domain::ids::LicenseId;
use domain::license::License;
use domain::usage::{Refusal, UsageEvent};
use lambda::metrics::Metric;
use serde::Serialize;
use store::ReportedUsage;
use utoipa::openapi::schema::Discriminator;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::event::Unreadable;

/// The results of a report of usage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageResults)]
pub(crate) struct Report {
    /// Nothing was written: these are the results that the events would have. Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(flatten)]
    #[schema(inline)]
    counts: Counts,
    /// The results, in the order of the request.
    #[schema(min_items = 1, max_items = 500)]
    results: Vec<EventResult>,
}

/// The number of events with each status.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Counts {
    #[schema(maximum = 500)]
    accepted: usize,
    #[schema(maximum = 500)]
    duplicate: usize,
    #[schema(maximum = 500)]
    conflict: usize,
    #[schema(maximum = 500)]
    refused: usize,
    #[schema(maximum = 500)]
    retry: usize,
}

/// The result of an event.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventResult {
    /// The line of the CSV file in which the event starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    /// The license that replaced the event's license.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<LicenseId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// The event will be billed.
    Accepted,
    /// The event was reported before, with the same quantity and tags.
    Duplicate,
    /// The event was reported before with another quantity or other tags, and can no longer be corrected.
    Conflict,
    /// The event is not accepted.
    Refused,
    /// The event is not confirmed, and must be sent again.
    Retry,
}

impl Report {
    pub(crate) fn new(dry_run: bool, results: Vec<EventResult>) -> Self {
        let mut counts = Counts::default();
        for result in &results {
            let count = match result.status {
                Status::Accepted => &mut counts.accepted,
                Status::Duplicate => &mut counts.duplicate,
                Status::Conflict => &mut counts.conflict,
                Status::Refused => &mut counts.refused,
                Status::Retry => &mut counts.retry,
            };
            *count += 1;
        }
        Self { dry_run, counts, results }
    }

    /// Logs the number of events with each status.
    pub(crate) fn log(&self) {
        let Counts { accepted, duplicate, conflict, refused, retry } = self.counts;
        let dry_run = self.dry_run;
        tracing::info!(accepted, duplicate, conflict, refused, retry, dry_run, "Processed a report of usage");
    }

    /// Returns the number of events with each status, for the metrics. A dry run counts nothing.
    pub(crate) fn counted(&self) -> Vec<(Metric, usize)> {
        if self.dry_run {
            return Vec::new();
        }
        let Counts { accepted, duplicate, conflict, refused, retry } = self.counts;
        vec![
            (Metric::UsageAccepted, accepted),
            (Metric::UsageDuplicate, duplicate),
            (Metric::UsageConflict, conflict),
            (Metric::UsageRefused, refused),
            (Metric::UsageRetry, retry),
        ]
    }
}

impl EventResult {
    fn without_code(status: Status) -> Self {
        Self { line: None, status, code: None, detail: None, action: None, successor: None }
    }

    fn with_code(status: Status, code: &'static str, detail: impl ToString, action: &'static str) -> Self {
        let (code, detail, action) = (Some(code), Some(detail.to_string()), Some(action));
        Self { code, detail, action, ..Self::without_code(status) }
    }

    /// Returns the result with the line of the file in which the event starts.
    pub(crate) fn in_line(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    pub(crate) fn accepted() -> Self {
        Self::without_code(Status::Accepted)
    }

    pub(crate) fn retry() -> Self {
        Self::with_code(
            Status::Retry,
            "not_confirmed",
            "the table did not confirm the write",
            "Send the same event again.",
        )
    }

    /// Returns the result of an event of a buyer whose key is changing.
    pub(crate) fn moving() -> Self {
        let detail = "the buyer is moving to a license key, and a report under the other key may still be in progress";
        Self::with_code(Status::Retry, "license_moving", detail, "Send the same event again in ten minutes.")
    }

    /// Returns the result of an event that would be refused, while an earlier attempt may still be writing it: it must
    /// be sent again.
    pub(crate) fn retry_before_refusal(self) -> Self {
        let why = self.detail.unwrap_or_default();
        let detail = Some(format!("{why}, but an earlier attempt to report the event may still be in progress"));
        Self { status: Status::Retry, detail, action: Some("Send the same event again in three minutes."), ..self }
    }

    /// Returns the result of an event whose key and revision an earlier event of the same request has with another
    /// content.
    pub(crate) fn same_revision() -> Self {
        let detail = "the same request has another quantity or other tags under this key and revision";
        Self::with_code(Status::Conflict, "revision_conflict", detail, "Send a correction with a higher revision.")
    }

    /// Returns the result with the license that replaced the one that the event named.
    pub(crate) fn moved_to(self, license: Option<&LicenseId>) -> Self {
        Self { successor: license.cloned().or(self.successor), ..self }
    }

    /// Returns the result of an event whose key is stored already: a duplicate, or a conflict.
    pub(crate) fn compared_with(known: &ReportedUsage, event: &UsageEvent) -> Self {
        if known.amount != event.quantity.amount() {
            Self::with_code(
                Status::Conflict,
                "quantity_conflict",
                format!("{} was reported under this key, and its hour is closed for corrections", known.amount),
                "Report a missing quantity as a new event. AWS cannot take back a quantity that is too large.",
            )
        } else if known.tags != event.tags {
            Self::with_code(
                Status::Conflict,
                "tags_conflict",
                "this quantity was reported under this key, but its tags differ, and its hour is closed for corrections",
                "Nothing: the quantity is accepted, and its tags can no longer be changed.",
            )
        } else {
            Self::without_code(Status::Duplicate)
        }
    }

    pub(crate) fn refused(refusal: Refusal, event: &UsageEvent, license: Option<&License>) -> Self {
        let (detail, action) = explain(refusal, event);
        let successor = license.filter(|_| refusal == Refusal::LicenseEnded).and_then(|l| l.successor().cloned());
        Self { successor, ..Self::with_code(Status::Refused, refusal.code(), detail, action) }
    }
}

/// The codes of each status.
const CONFLICTS: &[&str] = &["quantity_conflict", "revision_conflict", "tags_conflict"];
const REFUSALS: &[&str] = &[
    "dimension_invalid",
    "dimension_not_metered",
    "dimension_unknown",
    "event_invalid",
    "field_missing",
    "field_unknown",
    "hour_closed",
    "key_invalid",
    "license_ended",
    "license_failed",
    "license_invalid",
    "license_probe",
    "license_unknown",
    "month_closed",
    "not_metered_yet",
    "quantity_invalid",
    "revision_invalid",
    "row_invalid",
    "tags_invalid",
    "time_in_future",
    "time_invalid",
    "too_old",
];
const RETRIES: &[&str] = &["license_ended", "license_moving", "month_closed", "not_confirmed", "too_old"];

impl PartialSchema for EventResult {
    fn schema() -> RefOr<Schema> {
        let forms = [
            ("accepted", "IngestedEvent"),
            ("duplicate", "IngestedEvent"),
            ("conflict", "ConflictingEvent"),
            ("refused", "RefusedEvent"),
            ("retry", "UnconfirmedEvent"),
        ];
        let mapping = forms.map(|(status, form)| (status, format!("#/components/schemas/{form}")));
        OneOfBuilder::new()
            .description(Some("The result of an event."))
            .item(Ref::from_schema_name("IngestedEvent"))
            .item(Ref::from_schema_name("ConflictingEvent"))
            .item(Ref::from_schema_name("RefusedEvent"))
            .item(Ref::from_schema_name("UnconfirmedEvent"))
            .discriminator(Some(Discriminator::with_mapping("status", mapping)))
            .into()
    }
}

impl ToSchema for EventResult {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let ingested = "An event that will be billed, or that was reported before with the same content.";
        let conflicting = "An event that was reported before with another content, and can no longer be corrected.";
        let refused = "An event that is not ingested.";
        let unconfirmed = "An event that is not confirmed: send it again. If the code is that of a refusal, the event will \
                           be refused, as soon as no earlier attempt to report it can still arrive.";
        schemas.extend([
            ("IngestedEvent".to_owned(), form(ingested, &["accepted", "duplicate"], &[]).into()),
            ("ConflictingEvent".to_owned(), form(conflicting, &["conflict"], CONFLICTS).into()),
            ("RefusedEvent".to_owned(), form(refused, &["refused"], REFUSALS).into()),
            ("UnconfirmedEvent".to_owned(), form(unconfirmed, &["retry"], RETRIES).into()),
        ]);
    }
}

/// Returns the schema of results with these statuses and codes.
fn form(description: &str, statuses: &[&str], codes: &[&str]) -> ObjectBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let line = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(2));
    let line = line.description(Some("The line of the CSV file in which the event starts. Absent for JSON."));
    let successor = Ref::builder().ref_location_from_schema_name(LicenseId::name());
    let successor = successor.description(Some("The license that replaced the event's, where one did."));
    let form = ObjectBuilder::new()
        .description(Some(description))
        .property("line", line)
        .property("status", text().enum_values(Some(statuses.to_vec())))
        .required("status");
    let form = match codes {
        [] => form,
        codes => form
            .property("code", text().enum_values(Some(codes.to_vec())))
            .property("detail", text().description(Some("The reason in this case.")))
            .property("action", text().description(Some("The next step for the application.")))
            .required("code")
            .required("detail")
            .required("action"),
    };
    form.property("successor", successor)
}

impl From<Unreadable> for EventResult {
    fn from(unreadable: Unreadable) -> Self {
        let action = "Correct the event and send it again.";
        Self::with_code(Status::Refused, unreadable.code, unreadable.detail, action)
    }
}

/// Returns the detail of a refusal, and the next step.
fn explain(refusal: Refusal, event: &UsageEvent) -> (String, &'static str) {
    match refusal {
        Refusal::LicenseUnknown => (
            format!("no registration and no event of AWS has named {}", event.license),
            "Check the id. A license becomes known when its buyer registers or AWS sends an event about it.",
        ),
        Refusal::LicenseEnded => (
            "the license has ended".to_owned(),
            "Stop serving the license, or report to its `successor`, if there is one.",
        ),
        Refusal::LicenseProbe => {
            ("the license is a probe, whose usage is not billed".to_owned(), "Nothing: do not report usage of probes.")
        }
        Refusal::NotMeteredYet => (
            format!("Stallkeeper does not bill the license's hour of {} yet", event.time),
            "Report it to the system that billed the license before, if it is not reported there already.",
        ),
        Refusal::LicenseFailed => ("the buyer's payment failed".to_owned(), "Report again once the license is active."),
        Refusal::DimensionUnknown => {
            (format!("the listing has no dimension {}", event.dimension), "Use a key of the listing's dimensions.")
        }
        Refusal::DimensionNotMetered => {
            (format!("{} is not billed by use", event.dimension), "Report usage of metered dimensions only.")
        }
        Refusal::TimeInFuture => {
            (format!("{} is in the future", event.time), "Correct the clock, or send the event at its time.")
        }
        Refusal::TooOld => {
            (format!("{} is more than 24 hours ago", event.time), "AWS does not accept usage that is older.")
        }
        Refusal::HourClosed => (
            format!("the hour of {} was billed when the license ended, and its month has no later hour", event.time),
            "Settle it with the buyer outside of AWS's metering, or report usage from 00:00 UTC on the 1st.",
        ),
        Refusal::MonthClosed => (
            format!("the billing month of {} is closed", event.time),
            "Report usage of a month before 05:30 UTC on the 1st of the next month.",
        ),
    }
}
