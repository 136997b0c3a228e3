//! Reading and writing documents as CBOR, as defined by Smithy RPC v2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value;
use jiff::{SignedDuration, Timestamp};

use super::document::{EpochSeconds, epoch_seconds};
use super::{Document, Malformed};

/// The tag of a time in seconds since 1970 (RFC 8949, 3.4.2).
const EPOCH: u64 = 1;

/// Reads one CBOR value that is the whole body.
pub(super) fn decode(mut body: &[u8]) -> Result<Document, Malformed> {
    let value: Value = ciborium::from_reader(&mut body).map_err(|_| Malformed)?;
    if body.is_empty() { document(value) } else { Err(Malformed) }
}

fn document(value: Value) -> Result<Document, Malformed> {
    match value {
        Value::Null => Ok(Document::Null),
        Value::Bool(value) => Ok(Document::Bool(value)),
        Value::Integer(number) => {
            // A greater number is not an integer of AWS's model; as a double it fails where an integer is required.
            let number = i128::from(number);
            Ok(i64::try_from(number).map_or(Document::Double(number as f64), Document::Integer))
        }
        Value::Float(number) => Ok(Document::Double(number)),
        Value::Text(text) => Ok(Document::Text(text)),
        // No member of these services is a blob, so bytes can only occur in a member that is never read.
        Value::Bytes(bytes) => Ok(Document::Text(STANDARD.encode(bytes))),
        Value::Array(values) => values.into_iter().map(document).collect::<Result<_, _>>().map(Document::List),
        Value::Map(members) => members
            .into_iter()
            .map(|(name, value)| match name {
                Value::Text(name) => Ok((name, document(value)?)),
                _ => Err(Malformed),
            })
            .collect::<Result<_, _>>()
            .map(Document::Map),
        Value::Tag(EPOCH, content) => timestamp(&content).map(Document::Timestamp),
        Value::Tag(_, content) => document(*content),
        _ => Err(Malformed),
    }
}

fn timestamp(content: &Value) -> Result<Timestamp, Malformed> {
    match content {
        Value::Integer(seconds) => {
            let seconds = i64::try_from(i128::from(*seconds)).map_err(|_| Malformed)?;
            Timestamp::from_second(seconds).map_err(|_| Malformed)
        }
        Value::Float(seconds) => {
            let since = SignedDuration::try_from_secs_f64(*seconds).map_err(|_| Malformed)?;
            let milliseconds = (since + SignedDuration::from_micros(500)).as_millis();
            i64::try_from(milliseconds).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).ok_or(Malformed)
        }
        _ => Err(Malformed),
    }
}

/// Writes a document.
pub(super) fn encode(document: &Document) -> Vec<u8> {
    let mut body = Vec::new();
    // Writing these values into memory cannot fail; a truncated body would be malformed, not wrong.
    let _ = ciborium::into_writer(&value(document), &mut body);
    body
}

fn value(document: &Document) -> Value {
    match document {
        Document::Null => Value::Null,
        Document::Bool(value) => Value::Bool(*value),
        Document::Integer(number) => Value::Integer((*number).into()),
        Document::Double(number) => Value::Float(*number),
        Document::Text(text) => Value::Text(text.clone()),
        Document::Timestamp(at) => {
            let seconds = match epoch_seconds(*at) {
                EpochSeconds::Whole(seconds) => Value::Integer(seconds.into()),
                EpochSeconds::Fractional(seconds) => Value::Float(seconds),
            };
            Value::Tag(EPOCH, Box::new(seconds))
        }
        Document::List(values) => Value::Array(values.iter().map(value).collect()),
        Document::Map(members) => {
            Value::Map(members.iter().map(|(name, member)| (Value::Text(name.clone()), value(member))).collect())
        }
    }
}
