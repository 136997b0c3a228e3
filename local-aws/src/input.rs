//! Reading a request's members by the rules of the API model.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::error::ServiceError;
use crate::protocol::Document;

/// The members of a request, or of a structure within it.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a BTreeMap<String, Document>);

/// A problem with a request. Each service maps it to an error of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct BadInput {
    /// The member.
    pub member: &'static str,
    /// The problem with it.
    pub problem: Problem,
}

/// The problem with a member.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// The member cannot be read as its type.
    WrongType {
        /// The type, with an article.
        wanted: &'static str,
    },
    /// A required member is missing.
    Missing,
    /// The member breaks a rule of the model.
    Breaks {
        /// The rule, after "Member must".
        rule: String,
    },
}

impl BadInput {
    /// Returns the problem of a member that breaks a rule; the rule follows "Member must".
    pub fn breaks(member: &'static str, rule: impl Into<String>) -> Self {
        Self { member, problem: Problem::Breaks { rule: rule.into() } }
    }

    /// Returns the sentence about a broken rule. It does not repeat the value, which may be a token.
    pub fn sentence(&self) -> String {
        let rule = match &self.problem {
            Problem::WrongType { wanted } => format!("Member must be {wanted}"),
            Problem::Missing => "Member must not be null".to_owned(),
            Problem::Breaks { rule } => format!("Member must {rule}"),
        };
        format!("1 validation error detected: Value at '{}' failed to satisfy constraint: {rule}", self.member)
    }

    /// Converts the problem to an error. A value of the wrong type is a serialization error for every service; for any
    /// other problem `of_the_service` chooses the error.
    pub fn into_error(self, of_the_service: impl FnOnce(&Self) -> ServiceError) -> ServiceError {
        match self.problem {
            Problem::WrongType { wanted } => {
                ServiceError::serialization(format!("The member '{}' must be {wanted}", self.member))
            }
            Problem::Missing | Problem::Breaks { .. } => of_the_service(&self),
        }
    }
}

/// A rule of the model for a text.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// The least number of characters.
    pub shortest: usize,
    /// The most characters.
    pub longest: usize,
    /// The pattern of the model, for the message.
    pub pattern: &'static str,
    /// Returns `true` for each character that the pattern allows.
    pub allows: fn(char) -> bool,
}

impl TextRule {
    fn check(&self, member: &'static str, text: &str) -> Result<(), BadInput> {
        let length = text.chars().count();
        if length < self.shortest {
            Err(BadInput::breaks(member, format!("have length greater than or equal to {}", self.shortest)))
        } else if length > self.longest {
            Err(BadInput::breaks(member, format!("have length less than or equal to {}", self.longest)))
        } else if !text.chars().all(self.allows) {
            Err(BadInput::breaks(member, format!("satisfy regular expression pattern: {}", self.pattern)))
        } else {
            Ok(())
        }
    }
}

impl<'a> Input<'a> {
    /// Returns the members of a document, or an error if it is not a structure.
    pub fn of(document: &'a Document, member: &'static str) -> Result<Self, BadInput> {
        match document {
            Document::Map(members) => Ok(Self(members)),
            _ => Err(wrong_type(member, "a structure")),
        }
    }

    /// Returns the names of the members.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns a member that has a value; null counts as missing.
    pub fn value(self, member: &'static str) -> Option<&'a Document> {
        self.0.get(member).filter(|value| **value != Document::Null)
    }

    /// Returns a text; `None` if it is missing.
    pub fn text(self, member: &'static str, rule: &TextRule) -> Result<Option<&'a str>, BadInput> {
        self.value(member).map(|value| text(value, member, rule)).transpose()
    }

    /// Returns a list that must be present; it may be empty.
    pub fn required_list(self, member: &'static str) -> Result<&'a [Document], BadInput> {
        self.list(member)?.ok_or(BadInput { member, problem: Problem::Missing })
    }

    /// Returns a text that must be present.
    pub fn required_text(self, member: &'static str, rule: &TextRule) -> Result<&'a str, BadInput> {
        self.text(member, rule)?.ok_or(BadInput { member, problem: Problem::Missing })
    }

    /// Returns a whole number from 1 to `most`, or `most` if the member is missing.
    pub fn page_size(self, member: &'static str, most: usize) -> Result<usize, BadInput> {
        match self.value(member) {
            None => Ok(most),
            Some(Document::Integer(number)) => match usize::try_from(*number) {
                Ok(size) if (1..=most).contains(&size) => Ok(size),
                _ => Err(BadInput::breaks(member, format!("be from 1 to {most}"))),
            },
            Some(_) => Err(wrong_type(member, "an integer")),
        }
    }

    /// Returns a whole number from 0 to 2147483647, the range of AWS's quantities.
    pub fn quantity(self, member: &'static str) -> Result<Option<u32>, BadInput> {
        match self.value(member) {
            None => Ok(None),
            Some(Document::Integer(number)) => match u32::try_from(*number) {
                Ok(quantity) if quantity <= i32::MAX.unsigned_abs() => Ok(Some(quantity)),
                _ => Err(BadInput::breaks(member, format!("be from 0 to {}", i32::MAX))),
            },
            Some(_) => Err(wrong_type(member, "an integer")),
        }
    }

    /// Returns a time, which JSON writes as seconds since 1970 and CBOR with a tag of its own.
    pub fn required_timestamp(self, member: &'static str) -> Result<Timestamp, BadInput> {
        let since = match self.value(member) {
            None => return Err(BadInput { member, problem: Problem::Missing }),
            Some(Document::Timestamp(at)) => return Ok(*at),
            Some(Document::Integer(seconds)) => SignedDuration::from_secs(*seconds),
            Some(Document::Double(seconds)) => {
                SignedDuration::try_from_secs_f64(*seconds).unwrap_or(SignedDuration::MAX)
            }
            Some(_) => return Err(wrong_type(member, "a timestamp")),
        };
        Timestamp::from_duration(since).map_err(|_| wrong_type(member, "a timestamp"))
    }

    /// Returns a list; `None` if it is missing.
    pub fn list(self, member: &'static str) -> Result<Option<&'a [Document]>, BadInput> {
        match self.value(member) {
            None => Ok(None),
            Some(Document::List(values)) => Ok(Some(values)),
            Some(_) => Err(wrong_type(member, "a list")),
        }
    }

    /// Returns a map; `None` if it is missing.
    pub fn map(self, member: &'static str) -> Result<Option<&'a BTreeMap<String, Document>>, BadInput> {
        match self.value(member) {
            None => Ok(None),
            Some(Document::Map(members)) => Ok(Some(members)),
            Some(_) => Err(wrong_type(member, "a map")),
        }
    }
}

/// Refuses members that the model has and the local AWS does not serve: an answer that ignored them would look right and
/// be wrong.
///
/// # Errors
///
/// Fails for any other member.
pub fn only(members: Input<'_>, member: &'static str, served: &[&str]) -> Result<(), BadInput> {
    match members.names().find(|name| !served.contains(name)) {
        None => Ok(()),
        Some(_) => {
            Err(BadInput::breaks(member, format!("have no members but these, in the local AWS: {}", served.join(", "))))
        }
    }
}

/// Returns a value that must be a text.
///
/// # Errors
///
/// Fails for another type, and for a text that breaks the rule.
pub fn text<'a>(value: &'a Document, member: &'static str, rule: &TextRule) -> Result<&'a str, BadInput> {
    match value {
        Document::Text(text) => rule.check(member, text).map(|()| text.as_str()),
        _ => Err(wrong_type(member, "a string")),
    }
}

fn wrong_type(member: &'static str, wanted: &'static str) -> BadInput {
    BadInput { member, problem: Problem::WrongType { wanted } }
}
