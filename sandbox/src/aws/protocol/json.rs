//! Documents read from JSON.

use serde_json::Value;

use super::{Document, Malformed};

/// Reads one JSON value that is the whole body.
pub(crate) fn decode(body: &[u8]) -> Result<Document, Malformed> {
    serde_json::from_slice(body).map(document).map_err(|_| Malformed)
}

fn document(value: Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(value) => Document::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Document::Integer(whole),
            None => number.as_f64().map_or(Document::Null, Document::Double),
        },
        Value::String(text) => Document::Text(text),
        Value::Array(values) => Document::List(values.into_iter().map(document).collect()),
        Value::Object(members) => {
            Document::Map(members.into_iter().map(|(name, value)| (name, document(value))).collect())
        }
    }
}
