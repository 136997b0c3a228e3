//! Reads one usage event of a request. What is wrong with it is said for it alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::ids::{DimensionKey, LicenseId};
use domain::tags::Tags;
use domain::time::Rfc3339;
use domain::usage::{KeyHash, Quantity, UsageEvent};
use jiff::Timestamp;
use lambda::http::shortened;
use serde_json::{Map, Value};
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The most events of a request.
pub(crate) const MAX_EVENTS: usize = 500;

/// The longest idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 256;

const FIELDS: [&str; 7] = ["license", "dimension", "quantity", "time", "key", "revision", "tags"];

/// An event of a request, or the reason why it cannot be read.
#[derive(Debug)]
pub(crate) struct ParsedEvent {
    /// The line of the CSV file in which it starts; `None` for JSON.
    pub(crate) line: Option<usize>,
    pub(crate) event: Result<UsageEvent, Unreadable>,
}

/// Items of the events of a request, each with the index of its event.
pub(crate) type Indexed<T> = Vec<(usize, T)>;

/// A fact. Its result describes what is wrong with it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UsageEvent)]
#[expect(dead_code, reason = "declares what `read_fields` reads")]
pub(crate) struct EventSchema {
    /// The license that was used.
    license: LicenseId,
    /// The dimension of the usage.
    dimension: DimensionKey,
    quantity: QuantitySchema,
    /// The time of the usage: at most 24 hours ago, and in a billing month (UTC) that is open.
    time: Timestamp,
    /// The key that makes the event unique within license, hour and dimension. 1 to 256 bytes of UTF-8.
    #[schema(min_length = 1, max_length = 256)]
    key: String,
    /// The revision of what was reported under the key. While its hour is open, a higher one replaces a lower one. The
    /// first event of a revision counts. Null is 0.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64, default = 0)]
    revision: Option<u32>,
    tags: Option<Tags>,
}

/// A quantity as `quantity` reads it.
enum QuantitySchema {}

impl PartialSchema for QuantitySchema {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).maximum(Some(2_147_483_647));
        let text =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,6}0*)?$"));
        let description = "A quantity from 0 to 2147483647 with at most 6 decimal places. A text loses no digits.";
        OneOfBuilder::new().description(Some(description)).item(number).item(text).into()
    }
}

impl ToSchema for QuantitySchema {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ReportedQuantity")
    }
}

/// The reason why an event cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The stable code.
    pub(crate) code: &'static str,
    /// The reason in this case.
    pub(crate) detail: String,
}

fn unreadable(code: &'static str, detail: impl ToString) -> Unreadable {
    Unreadable { code, detail: detail.to_string() }
}

/// Reads an event of a JSON envelope.
pub(crate) fn read(event: &Value) -> Result<UsageEvent, Unreadable> {
    let fields = event.as_object().ok_or_else(|| unreadable("event_invalid", "an event is an object"))?;
    read_fields(fields)
}

/// Reads an event by its fields.
pub(crate) fn read_fields(fields: &Map<String, Value>) -> Result<UsageEvent, Unreadable> {
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let detail = format!("`{}` is none of {}", shortened(unknown), FIELDS.join(", "));
        return Err(unreadable("field_unknown", detail));
    }
    let license: LicenseId = text(fields, "license")?.parse().map_err(|error| unreadable("license_invalid", error))?;
    let dimension: DimensionKey =
        text(fields, "dimension")?.parse().map_err(|error| unreadable("dimension_invalid", error))?;
    let Rfc3339(time) =
        text(fields, "time")?.parse().map_err(|error| unreadable("time_invalid", format!("`time` {error}")))?;
    let key = text(fields, "key")?;
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(unreadable("key_invalid", format!("`key` has 1 to {MAX_KEY_BYTES} bytes")));
    }
    let revision = match fields.get("revision") {
        None | Some(Value::Null) => 0,
        Some(revision) => revision
            .as_number()
            .and_then(|revision| plain(revision).parse().ok())
            .ok_or_else(|| unreadable("revision_invalid", "`revision` is a whole number from 0 to 4294967295"))?,
    };
    let (quantity, tags) = (quantity(fields)?, tags(fields)?);
    Ok(UsageEvent { license, dimension, quantity, time, key: KeyHash::of(key), revision, tags })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Unreadable> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(unreadable("field_missing", format!("`{name}` is missing"))),
        Some(_) => Err(unreadable("event_invalid", format!("`{name}` is a text"))),
    }
}

/// A number, or a text for those whose numbers lose digits.
fn quantity(fields: &Map<String, Value>) -> Result<Quantity, Unreadable> {
    let text = match fields.get("quantity") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => plain(number),
        None | Some(Value::Null) => return Err(unreadable("field_missing", "`quantity` is missing")),
        Some(_) => return Err(unreadable("quantity_invalid", "`quantity` is a number or a text")),
    };
    text.parse().map_err(|error| unreadable("quantity_invalid", error))
}

/// An object of texts; null and one without entries are no tags.
fn tags(fields: &Map<String, Value>) -> Result<Tags, Unreadable> {
    let invalid = |detail: &dyn ToString| unreadable("tags_invalid", detail.to_string());
    let given = match fields.get("tags") {
        None | Some(Value::Null) => return Ok(Tags::default()),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(invalid(&"`tags` is an object of texts")),
    };
    let mut tags = BTreeMap::new();
    for (key, value) in given {
        let value = value.as_str().ok_or_else(|| invalid(&"the value of each tag is a text"))?;
        tags.insert(key.clone(), value.to_owned());
    }
    Tags::try_from(tags).map_err(|error| invalid(&error))
}

/// A number of JSON without its exponent, which Rust writes for none that fits into a quantity.
fn plain(number: &serde_json::Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(number) => format!("{number}"),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(change: Value) -> Value {
        let mut event = json!({
            "license": "l-1", "dimension": "requests", "quantity": 5, "time": "2026-11-10T09:20:00Z", "key": "k",
        });
        for (name, value) in change.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    }

    #[test]
    fn quantities_are_numbers_or_texts() {
        for (given, read_as) in [
            (json!(5), "5"),
            (json!(5.5), "5.5"),
            (json!(0.000001), "0.000001"),
            (json!(2147483647), "2147483647"),
            (json!("0.25"), "0.25"),
            (json!(5.0), "5"),
        ] {
            assert_eq!(read(&event(json!({ "quantity": given }))).unwrap().quantity.to_string(), read_as);
        }
        for bad in
            [json!(-1), json!(2147483648_u64), json!(0.0000001), json!("NaN"), json!(true), json!([]), json!(1e99)]
        {
            assert_eq!(read(&event(json!({ "quantity": bad }))).unwrap_err().code, "quantity_invalid", "{bad}");
        }
    }

    #[test]
    fn a_revision_is_whole_however_it_is_written() {
        for (given, read_as) in [(json!(null), 0), (json!(7), 7), (json!(7.0), 7), (json!(4294967295_u64), u32::MAX)] {
            assert_eq!(read(&event(json!({ "revision": given }))).unwrap().revision, read_as);
        }
        for bad in [json!(0.5), json!(-1), json!(4294967296_u64), json!(1e10), json!("7"), json!(true)] {
            assert_eq!(read(&event(json!({ "revision": bad }))).unwrap_err().code, "revision_invalid", "{bad}");
        }
    }

    #[test]
    fn each_field_is_judged_by_its_own_code() {
        for (change, code) in [
            (json!({ "license": "nonsense" }), "license_invalid"),
            (json!({ "license": 5 }), "event_invalid"),
            (json!({ "license": null }), "field_missing"),
            (json!({ "dimension": "a#b" }), "dimension_invalid"),
            (json!({ "time": "yesterday" }), "time_invalid"),
            (json!({ "time": "2026-11-10T09:20:00" }), "time_invalid"),
            (json!({ "time": "2026-11-10T09:20:00Z[UTC]" }), "time_invalid"),
            (json!({ "key": "" }), "key_invalid"),
            (json!({ "key": "k".repeat(257) }), "key_invalid"),
            (json!({ "revision": -1 }), "revision_invalid"),
            (json!({ "revision": 1.5 }), "revision_invalid"),
            (json!({ "quantity": null }), "field_missing"),
            (json!({ "quantitty": 5 }), "field_unknown"),
            (json!({ "tags": "team" }), "tags_invalid"),
            (json!({ "tags": ["team"] }), "tags_invalid"),
            (json!({ "tags": { "team": 5 } }), "tags_invalid"),
            (json!({ "tags": { "team": null } }), "tags_invalid"),
            (json!({ "tags": { "team": "?" } }), "tags_invalid"),
        ] {
            assert_eq!(read(&event(change.clone())).unwrap_err().code, code, "{change}");
        }
        assert_eq!(read(&json!([])).unwrap_err().code, "event_invalid");
    }

    #[test]
    fn tags_are_an_object_of_texts_or_nothing() {
        let read_as = |tags: Value| {
            let tags = read(&event(json!({ "tags": tags }))).unwrap().tags;
            serde_json::to_value(tags).unwrap()
        };
        for none in [Value::Null, json!({})] {
            assert_eq!(read_as(none), json!({}));
        }
        assert!(read(&event(json!({}))).unwrap().tags.is_empty());
        assert_eq!(read_as(json!({ "team": "red", "env": "x" })), json!({ "env": "x", "team": "red" }));
    }

    #[test]
    fn a_broken_rule_of_tags_is_reported() {
        let six: Map<String, Value> = (0..6).map(|number| (number.to_string(), json!("v"))).collect();
        let refused = read(&event(json!({ "tags": six }))).unwrap_err();
        assert_eq!(refused.detail, "the event has 6 tags; at most 5 are allowed");
        let refused = read(&event(json!({ "tags": { "team": "" } }))).unwrap_err();
        assert_eq!(refused.detail, "the value of the tag `team` has 1 to 256 characters, not 0");
    }

    proptest! {
        #[test]
        fn no_field_panics(name in "license|dimension|quantity|time|key|revision|tags", text in ".*", number in any::<f64>()) {
            let _ = read(&event(json!({ &name: text })));
            let _ = read(&event(json!({ &name: number })));
        }
    }
}
