//! The events of licenses: listed, and published again.

use crate::context::Context;
use crate::licenses::page_over_states;
use axum::Json;
use axum::extract::State;
use domain::audit::AuditEntry;
use domain::errors::chain;
use domain::ids::{LicenseId, ProductCode, TenantId};
use domain::notification::OutboundEvent;
use domain::time::Rfc3339;
use futures_util::future::join_all;
use lambda::http::contract::{
    BodyInvalid, BodyTooLarge, Failed, Forbidden, LicensePath, LicenseUnknown, ParameterInvalid, TooLarge, TooMany,
    Unavailable,
};
use lambda::http::extract::{Caller, Limit, NoParameters, Parsed, Path, Query};
use lambda::http::{ApiError, Problem, extract};
use lambda::topic::{Message, TopicError};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use store::StoreError;
use utoipa::openapi::schema::{AdditionalProperties, SchemaFormat};
use utoipa::openapi::{KnownFormat, ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// The largest place in a sequence: every JSON parser reads whole numbers up to this one exactly.
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// The number of licenses that one request of a replay reads.
const MAX_REPLAYED_LICENSES: i32 = 50;

/// The number of events that are published concurrently.
const MAX_CONCURRENT_PUBLISHES: usize = 10;

/// A place in the sequence of a license's events, from 0 to [`MAX_SEQUENCE`].
#[derive(Debug, Clone, Copy)]
struct Sequence(u64);

/// A text or a number that is no place in a sequence.
#[derive(Debug)]
struct InvalidSequence;

impl fmt::Display for InvalidSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be a whole number from 0 to {MAX_SEQUENCE}")
    }
}

impl FromStr for Sequence {
    type Err = InvalidSequence;

    fn from_str(text: &str) -> Result<Self, InvalidSequence> {
        let number = text.parse().ok().filter(|number| *number <= MAX_SEQUENCE);
        number.map(Self).ok_or(InvalidSequence)
    }
}

type EventsLimit = Limit<100, 500>;

/// The parameters of the list of a license's events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Lists only the events after this place in the sequence. A cursor takes precedence.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_007_199_254_740_991_u64, default = 0)]
    after: Option<Parsed<Sequence>>,
    /// The largest number of events in the page.
    #[serde(default)]
    #[param(inline)]
    limit: EventsLimit,
    /// The `next` of the page before, unchanged. Any other value is answered 400 `parameter_invalid`.
    #[param(min_length = 1)]
    cursor: Option<String>,
}

/// A page of a license's events.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    events: Vec<PublishedEvent>,
    /// The `cursor` of the next page; null after the last.
    next: Option<String>,
}

/// An event, in the form in which it was published.
struct PublishedEvent(OutboundEvent);

impl Serialize for PublishedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Message::of(&self.0).serialize(serializer)
    }
}

impl PartialSchema for PublishedEvent {
    fn schema() -> RefOr<Schema> {
        let text = |pattern: &str| ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
        let version = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([1]));
        let sequence = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let sequence = sequence.description(Some("The place of the event in the sequence of the license's events."));
        let at = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        let detail = ObjectBuilder::new().schema_type(Type::Object).description(Some("The facts of the event."));
        let event = ObjectBuilder::new()
            .description(Some("An event of a license. `docs/events/` has a schema for each type."))
            .property("version", version)
            .property("id", text("^[0-7][0-9A-HJKMNP-TV-Z]{25}$").description(Some("The event's id (ULID).")))
            .property("type", text("^[a-z]+\\.[a-z_]+$"))
            .property("license", Ref::from_schema_name(LicenseId::name()))
            .property("product", Ref::from_schema_name(ProductCode::name()))
            .property("tenant", Ref::from_schema_name(TenantId::name()))
            .property("sequence", sequence)
            .property("at", at)
            .property("detail", detail)
            .additional_properties(Some(AdditionalProperties::FreeForm(true)));
        let required = ["version", "id", "type", "license", "product", "sequence", "at"];
        required.into_iter().fold(event, |event, name| event.required(name)).into()
    }
}

impl ToSchema for PublishedEvent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Event")
    }
}

/// Lists the events of a license, in the order of their sequence.
///
/// For an application that misses a number in the sequence. The events are as they were published to the topic.
#[utoipa::path(
    get,
    path = "/v1/licenses/{license}/events",
    operation_id = "listEvents",
    tag = "events",
    params(LicensePath, EventsQuery),
    responses(
        (status = 200, description = "A page of events.", body = Events),
        ParameterInvalid, Forbidden, LicenseUnknown, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
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
        (number <= MAX_SEQUENCE as f64).then_some(number as u64)
    });
    let whole = whole.filter(|number| *number <= MAX_SEQUENCE);
    whole.ok_or_else(|| D::Error::custom(format_args!("`after` {InvalidSequence}")))
}

/// The result of publishing events again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// The number of events that were published again.
    published: usize,
    /// The number of events that the topic never accepts; the function's log names them.
    rejected: usize,
    /// The `cursor` of the next request; null after the last.
    next: Option<String>,
}

/// The events of one license to publish again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LicenseReplay {
    /// Publishes only the events after this place in the sequence.
    #[serde(default, deserialize_with = "whole_number")]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64, default = 0)]
    after: u64,
}

/// Publishes the events of a license again, for an operator.
///
/// Buyers get no second mail. The audit log has the request. Repeating it publishes the same events again: subscribers
/// recognize them by their ids.
#[utoipa::path(
    post,
    path = "/v1/licenses/{license}/events/replay",
    operation_id = "replayLicense",
    tag = "events",
    params(LicensePath),
    request_body(content = LicenseReplay, example = json!({ "after": 3 })),
    responses(
        (status = 200, description = "The number of events that were published again.", body = Replayed),
        BodyInvalid, Forbidden, LicenseUnknown, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
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
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeriodReplay {
    /// The first moment, not after `to`.
    #[schema(value_type = Timestamp)]
    from: Rfc3339,
    /// The last moment.
    #[schema(value_type = Timestamp)]
    to: Rfc3339,
    /// The `next` of the answer before; null in the first request.
    #[serde(default)]
    cursor: Option<String>,
}

/// Publishes the events of all licenses in a period again, for an operator.
///
/// The period includes both moments. A request reads some of the licenses: send it again with `next` as `cursor` until
/// `next` is null. A license that changes its state meanwhile may be missing or come twice. Buyers get no second mail.
/// The audit log has the request.
#[utoipa::path(
    post,
    path = "/v1/events/replay",
    operation_id = "replayTime",
    tag = "events",
    request_body(
        content = PeriodReplay,
        example = json!({ "from": "2026-11-10T09:00:00Z", "to": "2026-11-10T10:00:00Z" }),
    ),
    responses(
        (status = 200, description = "The number of events that were published again.", body = Replayed),
        BodyInvalid, Forbidden, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
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
    let page = page_over_states(store, None, cursor.as_deref(), MAX_REPLAYED_LICENSES).await?;
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
        let mut replayed = Replayed { published: 0, rejected: 0, next };
        for events in events.chunks(MAX_CONCURRENT_PUBLISHES) {
            let published = join_all(events.iter().map(|event| self.topic.publish(event))).await;
            for (event, published) in events.iter().zip(published) {
                match published {
                    Ok(()) => replayed.published += 1,
                    Err(error @ TopicError::Rejected(_)) => {
                        tracing::error!(event = %event.id, license = %event.license, error = chain(&error), "Failed to replay an event: the topic never accepts it");
                        replayed.rejected += 1;
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
