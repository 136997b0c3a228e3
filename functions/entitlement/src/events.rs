//! What was told of licenses: looked up, and published again.

use futures_util::future::join_all;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stallkeeper::audit::AuditEntry;
use stallkeeper::aws::chain;
use stallkeeper::http::{Problem, Refusal, Request, Response};
use stallkeeper::notification::OutboundEvent;
use stallkeeper::store::{Store, StoreError};
use stallkeeper::time::Rfc3339;
use stallkeeper::topic::{Message, Topic, TopicError};

use crate::licenses::{known, page_over_states};

/// How many events a page has where the caller does not say.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 500;

/// The largest place in a sequence: what every program takes for a whole number.
const LARGEST: u64 = (1 << 53) - 1;

/// How many licenses one request of a replay looks at.
const LICENSES: i32 = 50;

/// How many events are published at once.
const AT_ONCE: usize = 10;

#[derive(Serialize)]
struct List<'a> {
    events: Vec<Message<'a>>,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

/// `GET /v1/licenses/{license}/events?after=&limit=&cursor=`: what was told of a license after that place in its
/// sequence, in order, as it was published.
pub(crate) async fn list(store: &Store, request: &Request, license: &str) -> Result<Response, Refusal> {
    request.only_parameters(&["after", "limit", "cursor"])?;
    let after = match (request.parameter("cursor"), request.parameter("after")) {
        (Some(cursor), _) => read_number("cursor", cursor).map_err(|_| StoreError::BadCursor)?,
        (None, Some(after)) => read_number("after", after)?,
        (None, None) => 0,
    };
    let limit = request.limit(PAGE, LONGEST_PAGE)?;
    let license = known(store, license).await?;
    let events = store.events_of_license(&license.id).await?;
    let wanted: Vec<&OutboundEvent> = events.iter().filter(|event| event.sequence > after).collect();
    let page = wanted.iter().take(limit);
    let next = page.clone().next_back().filter(|_| wanted.len() > limit).map(|last| last.sequence.to_string());
    Ok(Response::json(StatusCode::OK, &List { events: page.map(|event| Message::of(event)).collect(), next }))
}

fn read_number(name: &str, text: &str) -> Result<u64, Problem> {
    let number = text.parse().ok().filter(|number| *number <= LARGEST);
    number.ok_or_else(|| Problem::invalid(name, format!("must be a whole number from 0 to {LARGEST}")))
}

/// A whole number, however JSON writes it.
fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_u64().or_else(|| {
        let number = number.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)?;
        // What is larger than that is none; what is not is exact.
        (number <= LARGEST as f64).then_some(number as u64)
    });
    let whole = whole.filter(|number| *number <= LARGEST);
    whole.ok_or_else(|| serde::de::Error::custom(format!("`after` must be a whole number from 0 to {LARGEST}")))
}

#[derive(Serialize)]
struct Replayed {
    /// How many events are on the topic once more.
    published: usize,
    /// How many are not, because the topic never takes them; the function's log names them.
    passed_over: usize,
    /// Where to go on; none if this was all.
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfLicense {
    #[serde(default, deserialize_with = "whole")]
    after: u64,
}

/// `POST /v1/licenses/{license}/events/replay` with `{"after": 3}`: publishes what was told of the license after that
/// place in its sequence once more. For an operator; it stands in the audit log.
pub(crate) async fn replay_license(
    store: &Store,
    topic: &Topic,
    request: &Request,
    license: &str,
) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let OfLicense { after } = request.json()?;
    let license = known(store, license).await?;
    let entry = AuditEntry::new(
        request.caller.as_deref(),
        "events.replay",
        &license.id,
        [("after", after.to_string())],
        store.clock().now(),
    );
    store.write_audit(&entry).await?;
    let mut events = store.events_of_license(&license.id).await?;
    events.retain(|event| event.sequence > after);
    answer(topic, &events, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTime {
    from: Rfc3339,
    to: Rfc3339,
    #[serde(default)]
    cursor: Option<String>,
}

/// `POST /v1/events/replay` with `{"from": "…", "to": "…"}`: publishes what was told of any license in that time once
/// more, both moments included. A request goes through some of the licenses; the next one goes on with `next` as
/// `cursor`. For an operator; it stands in the audit log.
pub(crate) async fn replay_time(store: &Store, topic: &Topic, request: &Request) -> Result<Response, Refusal> {
    request.only_parameters(&[])?;
    let OfTime { from: Rfc3339(from), to: Rfc3339(to), cursor } = request.json()?;
    if from > to {
        return Err(Problem::invalid("from", "must not be after `to`").into());
    }
    let page = page_over_states(store, None, cursor.as_deref(), LICENSES).await?;
    let entry = AuditEntry::new(
        request.caller.as_deref(),
        "events.replay",
        format!("{from}/{to}"),
        [("cursor", cursor.unwrap_or_default())],
        store.clock().now(),
    );
    store.write_audit(&entry).await?;
    let mut events = Vec::new();
    for license in &page.licenses {
        let told = store.events_of_license(&license.id).await?;
        events.extend(told.into_iter().filter(|event| (from..=to).contains(&event.at)));
    }
    answer(topic, &events, page.next).await
}

/// Publishes events, and says how it went. Where the topic does not answer nothing is lost: the same request publishes
/// them all again.
async fn answer(topic: &Topic, events: &[OutboundEvent], next: Option<String>) -> Result<Response, Refusal> {
    let mut replayed = Replayed { published: 0, passed_over: 0, next };
    for events in events.chunks(AT_ONCE) {
        let published = join_all(events.iter().map(|event| topic.publish(event))).await;
        for (event, published) in events.iter().zip(published) {
            match published {
                Ok(()) => replayed.published += 1,
                Err(error @ TopicError::Unfit(_)) => {
                    tracing::error!(event = %event.id, license = %event.license, error = chain(&error), "not replayed");
                    replayed.passed_over += 1;
                }
                Err(error @ TopicError::Unavailable(_)) => {
                    tracing::warn!(event = %event.id, error = chain(&error), "the topic did not answer");
                    return Err(Problem::unavailable().into());
                }
            }
        }
    }
    Ok(Response::json(StatusCode::OK, &replayed))
}
