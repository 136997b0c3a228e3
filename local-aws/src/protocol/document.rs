//! The content of a request or an answer, independent of the protocol.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The bytes are not a valid document of their protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not one value of its protocol")]
pub(crate) struct Malformed;

/// A value of AWS's data model, limited to the types that these services need.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    Text(String),
    /// A time.
    Timestamp(Timestamp),
    /// A list.
    List(Vec<Document>),
    /// A structure or a map.
    Map(BTreeMap<String, Document>),
}

impl Document {
    /// Returns the document in JSON, with timestamps as seconds since 1970.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Double(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Timestamp(at) => match epoch_seconds(*at) {
                EpochSeconds::Whole(seconds) => seconds.into(),
                EpochSeconds::Fractional(seconds) => seconds.into(),
            },
            Self::List(values) => values.iter().map(Self::to_json).collect(),
            Self::Map(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// A time in AWS's `epoch-seconds` format, to the millisecond.
pub(super) enum EpochSeconds {
    Whole(i64),
    Fractional(f64),
}

pub(super) fn epoch_seconds(at: Timestamp) -> EpochSeconds {
    let milliseconds = at.as_millisecond();
    if milliseconds % 1000 == 0 {
        EpochSeconds::Whole(milliseconds / 1000)
    } else {
        EpochSeconds::Fractional(milliseconds as f64 / 1000.0)
    }
}

/// A structure that is being written, member by member.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record(BTreeMap<String, Document>);

impl Record {
    /// Creates a structure without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Document>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member, or leaves it out if it has no value, as AWS does.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Document>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<Record> for Document {
    fn from(record: Record) -> Self {
        Self::Map(record.0)
    }
}

impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Document {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Document {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Document {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Timestamp> for Document {
    fn from(at: Timestamp) -> Self {
        Self::Timestamp(at)
    }
}

impl<T: Into<Document>> From<Vec<T>> for Document {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
