//! The events of licenses: listed, and published again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stallkeeper::audit::AuditEntry;
use stallkeeper::aws::chain;
use stallkeeper::http::extract::{self, Caller, Limit, NoParameters, Parsed, Path, Query};
use stallkeeper::http::{ApiError, Problem};
use stallkeeper::ids::LicenseId;
use stallkeeper::notification::OutboundEvent;
use stallkeeper::store::StoreError;
use stallkeeper::time::Rfc3339;
use stallkeeper::topic::{Message, TopicError};

use crate::Context;
use crate::licenses::page_over_states;

/// The largest place in a sequence: every JSON parser reads whole numbers up to this one exactly.
const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// The number of licenses that one request of a replay reads.
const REPLAYED_LICENSES_MAX: i32 = 50;

/// The number of events that are published concurrently.
const PUBLISH_CONCURRENCY: usize = 10;

/// A place in the sequence of a license's events, from 0 to [`SEQUENCE_MAX`].
#[derive(Debug, Clone, Copy)]
struct Sequence(u64);

/// A text or a number that is no place in a sequence.
#[derive(Debug)]
struct InvalidSequence;

impl fmt::Display for InvalidSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be a whole number from 0 to {SEQUENCE_MAX}")
    }
}

impl FromStr for Sequence {
    type Err = InvalidSequence;

    fn from_str(text: &str) -> Result<Self, InvalidSequence> {
        let number = text.parse().ok().filter(|number| *number <= SEQUENCE_MAX);
        number.map(Self).ok_or(InvalidSequence)
    }
}

/// The parameters of the list of a license's events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Lists only the events after this place in the sequence; a cursor takes precedence.
    after: Option<Parsed<Sequence>>,
    #[serde(default)]
    limit: Limit<100, 500>,
    /// The place in the sequence of the last event of the page before.
    cursor: Option<String>,
}

/// A page of a license's events.
#[derive(Serialize)]
pub(crate) struct Events {
    events: Vec<PublishedEvent>,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

/// An event, in the form in which it was published.
struct PublishedEvent(OutboundEvent);

impl Serialize for PublishedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Message::of(&self.0).serialize(serializer)
    }
}

/// `GET /v1/licenses/{license}/events?after=&limit=&cursor=`: the events of a license after that place in its sequence, in
/// order, as they were published.
pub(crate) async fn list(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(EventsQuery { after, limit, cursor }): Query<EventsQuery>,
) -> Result<Json<Events>, ApiError> {
    let cursor = cursor.map(|cursor| cursor.parse()).transpose();
    let cursor: Option<Sequence> = cursor.map_err(|InvalidSequence| StoreError::BadCursor)?;
    let after = cursor.or(after.map(|Parsed(after)| after)).map_or(0, |Sequence(after)| after);
    let limit = usize::try_from(limit.get()).unwrap_or_default();
    let license = context.license(&license).await?;
    let mut events = context.store.events_of_license(&license.id).await?;
    events.retain(|event| event.sequence > after);
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map(|last| last.sequence.to_string());
    Ok(Json(Events { events: events.into_iter().map(PublishedEvent).collect(), next }))
}

/// Reads a place in a sequence from a whole number, however JSON writes it.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_u64().or_else(|| {
        let number = number.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)?;
        // A larger number is refused; the others are exact.
        (number <= SEQUENCE_MAX as f64).then_some(number as u64)
    });
    let whole = whole.filter(|number| *number <= SEQUENCE_MAX);
    whole.ok_or_else(|| D::Error::custom(format_args!("`after` {InvalidSequence}")))
}

/// The result of publishing events again.
#[derive(Debug, Serialize)]
pub(crate) struct Replayed {
    /// The number of events that were published again.
    published: usize,
    /// The number of events that the topic never accepts; the function's log names them.
    passed_over: usize,
    /// The cursor of the next request; none after the last.
    next: Option<String>,
}

/// The events of one license to publish again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LicenseReplay {
    #[serde(default, deserialize_with = "whole_number")]
    after: u64,
}

/// `POST /v1/licenses/{license}/events/replay` with `{"after": 3}`: publishes the events of the license after that place
/// in its sequence again. For an operator; the audit log has it.
pub(crate) async fn replay_license(
    State(context): State<Arc<Context>>,
    Path(license): Path<LicenseId>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(LicenseReplay { after }): extract::Json<LicenseReplay>,
) -> Result<Json<Replayed>, ApiError> {
    let store = &context.store;
    let license = context.license(&license).await?;
    let was = [("after", after.to_string())];
    let entry = AuditEntry::new(caller.arn(), "events.replay", &license.id, was, store.clock().now());
    store.write_audit(&entry).await?;
    let mut events = store.events_of_license(&license.id).await?;
    events.retain(|event| event.sequence > after);
    context.replay(&events, None).await
}

/// The period whose events to publish again, both moments included.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeriodReplay {
    from: Rfc3339,
    to: Rfc3339,
    #[serde(default)]
    cursor: Option<String>,
}

/// `POST /v1/events/replay` with `{"from": "…", "to": "…"}`: publishes the events of all licenses in that period again,
/// both moments included. A request reads some of the licenses; the next one continues with `next` as `cursor`. For an
/// operator; the audit log has it.
pub(crate) async fn replay_period(
    State(context): State<Arc<Context>>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(PeriodReplay { from: Rfc3339(from), to: Rfc3339(to), cursor }): extract::Json<PeriodReplay>,
) -> Result<Json<Replayed>, ApiError> {
    if from > to {
        return Err(Problem::invalid("from", "must not be after `to`").into());
    }
    let store = &context.store;
    let page = page_over_states(store, None, cursor.as_deref(), REPLAYED_LICENSES_MAX).await?;
    let was = [("cursor", cursor.unwrap_or_default())];
    let entry = AuditEntry::new(caller.arn(), "events.replay", format!("{from}/{to}"), was, store.clock().now());
    store.write_audit(&entry).await?;
    let mut events = Vec::new();
    for license in &page.licenses {
        let of_license = store.events_of_license(&license.id).await?;
        events.extend(of_license.into_iter().filter(|event| (from..=to).contains(&event.at)));
    }
    context.replay(&events, page.next).await
}

impl Context {
    /// Publishes events again and counts them. Nothing is lost if the topic does not answer: the same request publishes
    /// them all again.
    async fn replay(&self, events: &[OutboundEvent], next: Option<String>) -> Result<Json<Replayed>, ApiError> {
        let mut replayed = Replayed { published: 0, passed_over: 0, next };
        for events in events.chunks(PUBLISH_CONCURRENCY) {
            let published = join_all(events.iter().map(|event| self.topic.publish(event))).await;
            for (event, published) in events.iter().zip(published) {
                match published {
                    Ok(()) => replayed.published += 1,
                    Err(error @ TopicError::Unfit(_)) => {
                        tracing::error!(event = %event.id, license = %event.license, error = chain(&error), "Failed to replay an event: the topic never accepts it");
                        replayed.passed_over += 1;
                    }
                    Err(error @ TopicError::Unavailable(_)) => {
                        tracing::warn!(event = %event.id, error = chain(&error), "Failed to replay an event: the topic did not answer");
                        return Err(Problem::unavailable().into());
                    }
                }
            }
        }
        Ok(Json(replayed))
    }
}
