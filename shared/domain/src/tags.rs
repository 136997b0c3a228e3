//! Tags of usage, by which the seller lets a buyer break down a bill (vendor-metered tagging).
//!
//! AWS accepts them as the tags of a record's usage allocations (BatchMeterUsage, `UsageAllocation`), and refuses a
//! whole call for one that breaks a rule. So tags that break a rule are refused here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The most tags of an amount of usage.
pub const MAX_TAGS: usize = 5;

/// The most characters of a tag's key.
pub const MAX_TAG_KEY_CHARS: usize = 100;

/// The most characters of a tag's value.
pub const MAX_TAG_VALUE_CHARS: usize = 256;

/// The tags of an amount of usage: up to 5 keys, each with a value. An empty map means no tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Tags(BTreeMap<String, String>);

impl PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        let text = |pattern: &str| ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build();
        ObjectBuilder::new()
            .description(Some("The tags of usage. The buyer's bill is broken down by them."))
            .property_names(Some(text("^[ -=@A-Z_a-z]{1,100}$")))
            .additional_properties(Some(Schema::from(text("^[ -=@A-Z_a-z]{1,256}$"))))
            .max_properties(Some(MAX_TAGS))
            .examples([json!({ "team": "red" })])
            .into()
    }
}

impl ToSchema for Tags {}

/// The rule of AWS's model that tags break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTags {
    /// There are too many.
    #[error("the event has {0} tags; at most {MAX_TAGS} are allowed")]
    TooMany(usize),
    /// A key is empty or too long.
    #[error("the key of a tag has 1 to {MAX_TAG_KEY_CHARS} characters, not {0}")]
    KeyLength(usize),
    /// A value is empty or too long.
    #[error("the value of the tag `{key}` has 1 to {MAX_TAG_VALUE_CHARS} characters, not {length}")]
    ValueLength {
        /// The key of the value.
        key: String,
        /// The length of the value, in characters.
        length: usize,
    },
    /// A key has a character that AWS does not accept.
    #[error("the key of a tag contains {0:?}; allowed are {ALLOWED}")]
    KeyCharacter(char),
    /// A value has a character that AWS does not accept.
    #[error("the value of the tag `{key}` contains {character:?}; allowed are {ALLOWED}")]
    ValueCharacter {
        /// The key of the value.
        key: String,
        /// The first such character.
        character: char,
    },
}

/// The characters that [`is_allowed`] accepts, in words.
const ALLOWED: &str = "ASCII letters, digits, blanks and !\"#$%&'()*+,-./:;<=@_";

impl Tags {
    /// Returns `true` if there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each key with its value, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = InvalidTags;

    fn try_from(tags: BTreeMap<String, String>) -> Result<Self, InvalidTags> {
        if tags.len() > MAX_TAGS {
            return Err(InvalidTags::TooMany(tags.len()));
        }
        for (key, value) in &tags {
            check_key(key)?;
            check_value(key, value)?;
        }
        Ok(Self(tags))
    }
}

impl From<Tags> for BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

fn check_key(key: &str) -> Result<(), InvalidTags> {
    let length = key.chars().count();
    if !(1..=MAX_TAG_KEY_CHARS).contains(&length) {
        return Err(InvalidTags::KeyLength(length));
    }
    key.chars().find(|c| !is_allowed(*c)).map_or(Ok(()), |character| Err(InvalidTags::KeyCharacter(character)))
}

fn check_value(key: &str, value: &str) -> Result<(), InvalidTags> {
    let (key, length) = (key.to_owned(), value.chars().count());
    if !(1..=MAX_TAG_VALUE_CHARS).contains(&length) {
        return Err(InvalidTags::ValueLength { key, length });
    }
    let strange = value.chars().find(|c| !is_allowed(*c));
    strange.map_or(Ok(()), |character| Err(InvalidTags::ValueCharacter { key, character }))
}

/// Returns `true` if AWS's pattern `^[a-zA-Z0-9+ -=._:\/@]+$` accepts a character. As it is written, ` -=` is a range:
/// everything in ASCII from the blank to the equals sign.
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, ' '..='=' | '_' | '@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tags<const N: usize>(tags: [(&str, &str); N]) -> Result<Tags, InvalidTags> {
        Tags::try_from(BTreeMap::from(tags.map(|(key, value)| (key.to_owned(), value.to_owned()))))
    }

    #[test]
    fn the_pattern_is_taken_as_it_is_written() {
        // All ASCII characters that the class of the pattern accepts.
        let taken: String = (0..128_u8).map(char::from).filter(|c| is_allowed(*c)).collect();
        let range = " !\"#$%&'()*+,-./0123456789:;<=";
        assert_eq!(taken, format!("{range}@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"));
        assert!(!is_allowed('é') && !is_allowed('１') && !is_allowed('\u{a0}'));
    }

    #[test]
    fn a_broken_rule_is_named() {
        let long = |length: usize| "x".repeat(length);
        let cases = [
            (tags([("", "v")]), "the key of a tag has 1 to 100 characters, not 0"),
            (tags([(&long(101), "v")]), "the key of a tag has 1 to 100 characters, not 101"),
            (tags([("team", "")]), "the value of the tag `team` has 1 to 256 characters, not 0"),
            (tags([("team", &long(257))]), "the value of the tag `team` has 1 to 256 characters, not 257"),
            (tags([("a?", "v")]), "the key of a tag contains '?'; "),
            (tags([("team", "a\nb")]), "the value of the tag `team` contains '\\n'; "),
            (
                tags([("1", "v"), ("2", "v"), ("3", "v"), ("4", "v"), ("5", "v"), ("6", "v")]),
                "the event has 6 tags; at most 5 are allowed",
            ),
        ];
        for (given, rule) in cases {
            let said = given.unwrap_err().to_string();
            assert!(said.starts_with(rule), "{said}");
        }
        assert!(tags([(&long(100), &long(256))]).is_ok());
        assert!(tags([("1", "v"), ("2", "v"), ("3", "v"), ("4", "v"), ("5", "v")]).is_ok());
        assert!(tags([]).unwrap().is_empty());
    }

    #[test]
    fn tags_are_written_as_a_plain_map_and_read_by_the_same_rules() {
        let tags = tags([("team", "red"), ("env", "test = 1")]).unwrap();
        let written = serde_json::to_value(&tags).unwrap();
        assert_eq!(written, json!({ "env": "test = 1", "team": "red" }));
        assert_eq!(serde_json::from_value::<Tags>(written).unwrap(), tags);
        assert!(serde_json::from_value::<Tags>(json!({ "env": "?" })).is_err());
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("env", "test = 1"), ("team", "red")]);
    }

    proptest! {
        #[test]
        fn what_fits_the_pattern_is_taken(
            given in prop::collection::btree_map("[a-zA-Z0-9+ -=._:/@]{1,100}", "[a-zA-Z0-9+ -=._:/@]{1,256}", 0..=MAX_TAGS)
        ) {
            let tags = Tags::try_from(given.clone()).unwrap();
            prop_assert_eq!(BTreeMap::from(tags), given);
        }

        #[test]
        fn whatever_is_given_is_kept_whole_or_refused(given in prop::collection::btree_map(".{0,101}", ".{0,257}", 0..7)) {
            if let Ok(tags) = Tags::try_from(given.clone()) {
                prop_assert!(given.len() <= MAX_TAGS);
                prop_assert!(tags.iter().all(|(key, value)| key.is_ascii() && value.is_ascii() && !value.is_empty()));
                prop_assert_eq!(BTreeMap::from(tags), given);
            }
        }
    }
}
