//! Intake: each event of a request is judged and answered for itself.
//!
//! Events of open hours are written together without reading first; late ones are written one by one, after what is
//! known under their key was read. An event is accepted only when its item and its hour's marker are confirmed.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use stallkeeper::aws::chain;
use stallkeeper::entitlement::Holding;
use stallkeeper::http::{Problem, Refusal as Answer, Request, Response};
use stallkeeper::ids::LicenseId;
use stallkeeper::license::License;
use stallkeeper::store::{LatePut, ReportedUsage, StoreError};
use stallkeeper::usage::{Intake, Refusal, UsageEvent, judge};

use crate::UsageApi;
use crate::event::{Unreadable, read};

/// How many events a request may have.
const MOST_EVENTS: usize = 500;

#[derive(Serialize)]
struct Results {
    accepted: usize,
    results: Vec<EventResult>,
}

/// What became of an event, in the place that it has in the request.
#[derive(Debug, Clone, Serialize)]
struct EventResult {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    /// The license that took over from the event's.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<LicenseId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It will be billed.
    Accepted,
    /// It was reported before, with the same quantity.
    Duplicate,
    /// It was reported before with another quantity, and can no longer be corrected.
    Conflict,
    /// It is not taken in.
    Refused,
    /// It is not confirmed: the same again.
    Retry,
}

impl EventResult {
    fn plain(status: Status) -> Self {
        Self { status, code: None, detail: None, action: None, successor: None }
    }

    fn told(status: Status, code: &'static str, detail: impl ToString, action: &'static str) -> Self {
        let (code, detail, action) = (Some(code), Some(detail.to_string()), Some(action));
        Self { status, code, detail, action, successor: None }
    }

    fn retry() -> Self {
        Self::told(Status::Retry, "not_confirmed", "the table did not confirm it", "Send the same event again.")
    }
}

impl From<Unreadable> for EventResult {
    fn from(unreadable: Unreadable) -> Self {
        let action = "Mend the event and send it again.";
        Self::told(Status::Refused, unreadable.code, unreadable.detail, action)
    }
}

/// Events with the place that each has in the request.
type Placed<T> = Vec<(usize, T)>;

impl UsageApi {
    /// `POST /v1/usage` with `{"events": [{"license", "dimension", "quantity", "time", "key", "revision"?}, …]}`.
    pub(crate) async fn take_in(&self, request: &Request) -> Result<Response, Answer> {
        request.only_parameters(&[])?;
        let events = read_envelope(request)?;
        let mut results: Vec<Option<EventResult>> = vec![None; events.len()];
        let mut readable: Placed<UsageEvent> = Vec::new();
        for (place, event) in events.iter().enumerate() {
            match read(event) {
                Ok(event) => readable.push((place, event)),
                Err(unreadable) => set(&mut results, place, unreadable.into()),
            }
        }
        let (open, late) = self.judge_all(readable, &mut results).await;
        self.write_open(open, &mut results).await;
        for (place, event) in late {
            let result = self.write_late(&event).await;
            set(&mut results, place, result);
        }
        let results: Vec<EventResult> =
            results.into_iter().map(|result| result.unwrap_or_else(EventResult::retry)).collect();
        count(&results);
        let accepted = results.iter().filter(|result| result.status == Status::Accepted).count();
        Ok(Response::json(StatusCode::OK, &Results { accepted, results }))
    }

    /// Judges events by their licenses and the time; answers those to write, of open hours and late.
    async fn judge_all(
        &self,
        events: Placed<UsageEvent>,
        results: &mut [Option<EventResult>],
    ) -> (Placed<UsageEvent>, Placed<UsageEvent>) {
        let mut known: BTreeMap<LicenseId, Result<Option<Holding>, StoreError>> = BTreeMap::new();
        let (mut open, mut late) = (Vec::new(), Vec::new());
        for (place, event) in events {
            if !known.contains_key(&event.license) {
                let found = self.holding(&event.license).await;
                if let Err(error) = &found {
                    tracing::warn!(error = %chain(error), "a license could not be read");
                }
                known.insert(event.license.clone(), found);
            }
            let Some(Ok(found)) = known.get(&event.license) else {
                set(results, place, EventResult::retry());
                continue;
            };
            let license = found.as_ref().map(|holding| &holding.license);
            let listing = found.as_ref().and_then(|holding| holding.listing.as_ref());
            match judge(&event, license, listing, self.store.clock().now()) {
                Intake::Open => open.push((place, event)),
                Intake::Late => late.push((place, event)),
                Intake::Refused(refusal) => set(results, place, refused(refusal, &event, license)),
            }
        }
        (open, late)
    }

    async fn holding(&self, id: &LicenseId) -> Result<Option<Holding>, StoreError> {
        let Some(license) = self.known.license(&self.store, id).await? else { return Ok(None) };
        let listing = self.store.listing(&license.product).await?;
        Ok(Some(Holding { license, listing }))
    }

    async fn write_open(&self, events: Placed<UsageEvent>, results: &mut [Option<EventResult>]) {
        let (places, events): (Vec<usize>, Vec<UsageEvent>) = events.into_iter().unzip();
        let mut marked = self.known.marked(&events);
        let written = match self.store.write_open_usage(&events, &mut marked).await {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(error = %chain(&error), "usage could not be written");
                vec![false; events.len()]
            }
        };
        self.known.remember(marked);
        for (place, written) in places.into_iter().zip(written) {
            let result = if written { EventResult::plain(Status::Accepted) } else { EventResult::retry() };
            set(results, place, result);
        }
    }

    async fn write_late(&self, event: &UsageEvent) -> EventResult {
        match self.store.write_late_usage(event).await {
            Ok(LatePut::Written) => EventResult::plain(Status::Accepted),
            Ok(LatePut::Known(known)) => reported_before(&known, event),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "late usage was not confirmed");
                EventResult::retry()
            }
        }
    }
}

/// What a late event is beside what is known under its key: a duplicate, or in conflict with it.
fn reported_before(known: &ReportedUsage, event: &UsageEvent) -> EventResult {
    if known.amount != event.quantity.amount() {
        EventResult::told(
            Status::Conflict,
            "quantity_conflict",
            format!("{} was reported under this key, and its hour is closed for corrections", known.amount),
            "Report what is missing as an event of its own. What is too much cannot be taken back at AWS.",
        )
    } else if known.tags != event.tags {
        EventResult::told(
            Status::Conflict,
            "tags_conflict",
            "the same quantity was reported under this key, but its tags differ, and its hour is closed for corrections",
            "Leave it: the quantity is taken in. Its tags cannot be changed any more.",
        )
    } else {
        EventResult::plain(Status::Duplicate)
    }
}

/// The events of a request's envelope.
fn read_envelope(request: &Request) -> Result<Vec<Value>, Problem> {
    let invalid = |detail: String| {
        Problem::new(StatusCode::BAD_REQUEST, "body_invalid", "The body is not what is asked for here.")
            .detail(detail)
            .action("Send {\"events\": [...]} with 1 to 500 events. Nothing of this request was taken in.")
    };
    let mut envelope: serde_json::Map<String, Value> = request.json()?;
    let events = envelope.remove("events");
    if let Some(unknown) = envelope.keys().next() {
        return Err(invalid(format!("`{}` is not known here", unknown.chars().take(40).collect::<String>())));
    }
    match events {
        Some(Value::Array(events)) if (1..=MOST_EVENTS).contains(&events.len()) => Ok(events),
        Some(Value::Array(events)) => Err(invalid(format!("there are {} events", events.len()))),
        _ => Err(invalid("`events` is not a list".to_owned())),
    }
}

fn refused(refusal: Refusal, event: &UsageEvent, license: Option<&License>) -> EventResult {
    let (detail, action) = match refusal {
        Refusal::LicenseUnknown => (
            format!("nothing was heard of {}", event.license),
            "Check the license. One that was just bought appears when its buyer registers or AWS tells of it.",
        ),
        Refusal::LicenseEnded => (
            "the license is over".to_owned(),
            "Stop serving it, or report to the license that took over, if there is one.",
        ),
        Refusal::LicenseFailed => ("the buyer's payment failed".to_owned(), "Report again once the license is active."),
        Refusal::DimensionUnknown => {
            (format!("the listing has no dimension {}", event.dimension), "Use a key of the listing's dimensions.")
        }
        Refusal::DimensionNotMetered => {
            (format!("{} is not billed by use", event.dimension), "Report usage of metered dimensions only.")
        }
        Refusal::TimeInFuture => (
            format!("{} is still to come", event.time),
            "Set the clock right, or send the event when its time is there.",
        ),
        Refusal::TooOld => (format!("{} is more than 24 hours ago", event.time), "AWS takes no usage that old."),
        Refusal::MonthClosed => (
            format!("the billing month of {} is closed", event.time),
            "Report usage of a month until 05:30 UTC on the 1st of the next.",
        ),
    };
    let mut result = EventResult::told(Status::Refused, refusal.code(), detail, action);
    result.successor = license.filter(|_| refusal == Refusal::LicenseEnded).and_then(|l| l.successor().cloned());
    result
}

fn set(results: &mut [Option<EventResult>], place: usize, result: EventResult) {
    if let Some(slot) = results.get_mut(place) {
        *slot = Some(result);
    }
}

fn count(results: &[EventResult]) {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for result in results {
        let outcome = match result.status {
            Status::Accepted => "accepted",
            Status::Duplicate => "duplicate",
            Status::Conflict => "conflict",
            Status::Refused => "refused",
            Status::Retry => "retry",
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    tracing::info!(?outcomes, counter = "usage_events", "usage was taken in");
}
