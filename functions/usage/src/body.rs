//! Reads the events of a request: a JSON envelope or CSV, by its content type.

use http::{StatusCode, header};
use lambda::http::extract::TextBody;
use lambda::http::{Problem, shortened};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::event::{self, EventSchema, MAX_EVENTS, ParsedEvent};
use crate::rows;

/// The accepted content types, in the form of an `Accept` header.
pub(crate) const ACCEPTED: &str = "application/json, text/csv";

/// A report of usage.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UsageReport)]
#[expect(dead_code, reason = "declares what `read_envelope` reads")]
pub(crate) struct ReportSchema {
    #[schema(min_items = 1, max_items = 500)]
    events: Vec<EventSchema>,
}

/// Usage events as CSV: UTF-8 with a header row, and 1 to 500 rows below it. The columns are `license`, `dimension`,
/// `quantity`, `time` and `key` in any order, optionally `revision`, and `tag:<key>` for each tag. An empty cell is a
/// field that is not there.
#[derive(ToSchema)]
#[schema(as = UsageCsv)]
#[expect(dead_code, reason = "declares what `read_csv` reads")]
pub(crate) struct CsvSchema(String);

/// Reads the events of a request, 1 to 500; what is wrong with one of them is said in its result.
pub(crate) fn read(body: &TextBody) -> Result<Vec<ParsedEvent>, Problem> {
    match body.content_type().as_str() {
        "application/json" => read_envelope(body),
        "text/csv" => read_csv(body),
        "" => Err(unsupported("the request does not say what its body is")),
        other => Err(unsupported(&format!("`{}` is not taken", shortened(other)))),
    }
}

fn read_envelope(body: &TextBody) -> Result<Vec<ParsedEvent>, Problem> {
    let invalid = |detail: String| {
        let action = "Send {\"events\": [...]} with 1 to 500 events. Nothing of this request was taken in.";
        body_invalid(&detail, action)
    };
    let mut envelope: Map<String, Value> = body.json()?;
    let events = envelope.remove("events");
    if let Some(unknown) = envelope.keys().next() {
        return Err(invalid(format!("`{}` is not known here", shortened(unknown))));
    }
    match events {
        Some(Value::Array(events)) if (1..=MAX_EVENTS).contains(&events.len()) => {
            Ok(events.iter().map(|event| ParsedEvent { line: None, event: event::read(event) }).collect())
        }
        Some(Value::Array(events)) => Err(invalid(format!("there are {} events", events.len()))),
        _ => Err(invalid("`events` is not a list".to_owned())),
    }
}

fn read_csv(body: &TextBody) -> Result<Vec<ParsedEvent>, Problem> {
    let parameter = |name| body.content_type_parameter(name).map(str::to_ascii_lowercase);
    if parameter("charset").is_some_and(|charset| !["utf-8", "utf8", "us-ascii"].contains(&charset.as_str())) {
        return Err(unsupported("CSV is taken in UTF-8 only"));
    }
    if parameter("header").is_some_and(|header| header == "absent") {
        return Err(unsupported("CSV is taken with a header row only"));
    }
    rows::read(body.csv()?).map_err(|error| {
        let action = "Send a header row with license, dimension, quantity, time and key, optionally revision and \
                      tag:<key>, and 1 to 500 rows below it. Nothing of this request was taken in.";
        body_invalid(&error.to_string(), action)
    })
}

fn body_invalid(detail: &str, action: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body does not have the documented form.")
        .detail(detail)
        .action(action)
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content_type_unsupported",
        "Usage is not accepted in this content type.",
    )
    .detail(detail)
    .action("Send application/json, or text/csv in UTF-8 with a header row, and name it in Content-Type.")
    .header(header::ACCEPT, ACCEPTED)
}
