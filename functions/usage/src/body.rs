//! What a request brings: events in an envelope.

use http::StatusCode;
use serde_json::{Map, Value};
use stallkeeper::http::{Problem, Request};
use stallkeeper::usage::UsageEvent;

use crate::event::{self, Unreadable, shortened};

/// How many events a request may have.
pub(crate) const MOST_EVENTS: usize = 500;

/// Reads the events of a request, 1 to 500; what is wrong with one of them is said in its place.
pub(crate) fn read(request: &Request) -> Result<Vec<Result<UsageEvent, Unreadable>>, Problem> {
    let invalid = |detail: String| {
        let action = "Send {\"events\": [...]} with 1 to 500 events. Nothing of this request was taken in.";
        body_invalid(&detail, action)
    };
    let mut envelope: Map<String, Value> = request.json()?;
    let events = envelope.remove("events");
    if let Some(unknown) = envelope.keys().next() {
        return Err(invalid(format!("`{}` is not known here", shortened(unknown))));
    }
    match events {
        Some(Value::Array(events)) if (1..=MOST_EVENTS).contains(&events.len()) => {
            Ok(events.iter().map(event::read).collect())
        }
        Some(Value::Array(events)) => Err(invalid(format!("there are {} events", events.len()))),
        _ => Err(invalid("`events` is not a list".to_owned())),
    }
}

fn body_invalid(detail: &str, action: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body is not what is asked for here.")
        .detail(detail)
        .action(action)
}
