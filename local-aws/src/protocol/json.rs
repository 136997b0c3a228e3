//! Documents read from JSON.

use serde_json::Value;

use super::{Document, Malformed};

/// Reads one JSON value that is the whole body.
pub(crate) fn decode(body: &[u8]) -> Result<Document, Malformed> {
    serde_json::from_slice::<Value>(body).map(Document::from).map_err(|_| Malformed)
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Integer(whole),
                None => number.as_f64().map_or(Self::Null, Self::Double),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Map(members.into_iter().map(|(name, value)| (name, Self::from(value))).collect())
            }
        }
    }
}
