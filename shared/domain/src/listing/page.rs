//! The appearance of a listing's registration page, and the fields that it asks for besides a mail address.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::problem::Problem;
use super::problem::Step::{Field, Item};
use crate::language::LocalizedText;

/// The most fields that a listing may add to the form.
const MAX_FIELDS: usize = 10;

/// The most characters of an answer to a text field, unless the field sets fewer.
const MAX_ANSWER_CHARS: usize = 200;

/// The colours behind and on top of accents: the page's white, and the dark scheme's card and button text.
const WHITE: Colour = Colour([0xff, 0xff, 0xff]);
const DARK_CARD: Colour = Colour([0x1a, 0x20, 0x29]);
const DARK_ON_ACCENT: Colour = Colour([0x0c, 0x1a, 0x2b]);

/// The least contrast ratio of text (WCAG 2.2, success criterion 1.4.3).
const MIN_CONTRAST: f64 = 4.5;

/// The appearance of a listing's registration page, and its additional fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The company's or product's logo, https; shown 48 pixels high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Url>,
    /// The colour of buttons and links, such as `#0b5cad`; dark enough for white text on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<Colour>,
    /// The accent colour of the dark scheme; light enough for dark text on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent_dark: Option<Colour>,
    /// The fields besides mail address, name and company, in the order of the form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ExtraField>,
}

/// An sRGB colour, written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour([u8; 3]);

/// A field that a listing adds to the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraField {
    /// The answer's name in the contact: lowercase letters, digits and underscores.
    pub key: String,
    /// The kind of answer.
    #[serde(default)]
    pub kind: FieldKind,
    /// The label that buyers read.
    pub label: LocalizedText,
    /// `true` if an answer is required.
    #[serde(default)]
    pub required: bool,
    /// The most characters of the answer, for a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The choices, for a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// The document that the buyer agrees to, https, for a consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Url>,
}

/// The kind of answer that a field asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// A line of text.
    #[default]
    Text,
    /// A choice among several answers.
    Choice,
    /// A checkbox; if it is ticked, the answer is `yes`.
    Consent,
}

/// An answer of a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The answer as it is stored.
    pub value: String,
    /// The label that buyers read.
    pub label: LocalizedText,
}

/// A problem with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidAnswer {
    /// The answer is required and missing.
    Missing,
    /// The answer has more characters than this limit.
    TooLong(usize),
    /// The answer has control characters.
    Characters,
    /// The answer is not one of the choices.
    NoChoice,
}

impl Page {
    /// Returns the first problem with its description, if there is one.
    pub(super) fn problem(&self) -> Option<Problem> {
        let unreadable = |name: &'static str, accent: Option<Colour>, others: &[Colour]| {
            let accent = accent?;
            let least = others.iter().map(|other| accent.contrast(*other)).fold(f64::INFINITY, f64::min);
            let what =
                format!("`page.{name}` cannot be read: its contrast is {least:.2} to 1, and at least 4.5 is needed");
            (least < MIN_CONTRAST).then(|| Problem::of(name, what))
        };
        Problem::of_https("page", [("logo", self.logo.as_ref())])
            .or_else(|| unreadable("accent", self.accent, &[WHITE]))
            .or_else(|| unreadable("accent_dark", self.accent_dark, &[DARK_CARD, DARK_ON_ACCENT]))
            .or_else(|| self.problem_of_fields())
    }

    fn problem_of_fields(&self) -> Option<Problem> {
        if self.fields.len() > MAX_FIELDS {
            let what = format!("`page.fields` has {} fields; at most {MAX_FIELDS} may be asked", self.fields.len());
            return Some(Problem::at([Field("fields"), Item(MAX_FIELDS)], what));
        }
        let mut keys = BTreeSet::new();
        self.fields.iter().enumerate().find_map(|(number, field)| {
            let is_twice = !keys.insert(field.key.as_str());
            let twice = is_twice.then(|| Problem::of("key", format!("field `{}` is described twice", field.key)));
            twice.or_else(|| field.problem()).map(|problem| problem.within(&[Field("fields"), Item(number)]))
        })
    }
}

impl Colour {
    /// Returns the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, contrast ratio).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// A text that is not a [`Colour`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a colour must be written like #0b5cad")]
pub struct InvalidColour;

impl FromStr for Colour {
    type Err = InvalidColour;

    fn from_str(text: &str) -> Result<Self, InvalidColour> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColour)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or(InvalidColour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl Choice {
    /// Returns `true` if a form returns the value unchanged.
    fn is_valid(&self) -> bool {
        let value = self.value.as_str();
        (1..=100).contains(&value.chars().count()) && value.trim() == value && !value.chars().any(char::is_control)
    }
}

impl TryFrom<String> for Colour {
    type Error = InvalidColour;

    fn try_from(text: String) -> Result<Self, InvalidColour> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

impl ExtraField {
    /// Judges an answer without surrounding blanks.
    ///
    /// # Errors
    ///
    /// Fails with the problem when the answer is not valid.
    pub fn judge(&self, answer: &str) -> Result<(), InvalidAnswer> {
        if answer.is_empty() {
            return if self.required { Err(InvalidAnswer::Missing) } else { Ok(()) };
        }
        match self.kind {
            FieldKind::Text if answer.chars().any(char::is_control) => Err(InvalidAnswer::Characters),
            FieldKind::Text if answer.chars().count() > self.max_length() => {
                Err(InvalidAnswer::TooLong(self.max_length()))
            }
            FieldKind::Choice if !self.choices.iter().any(|choice| choice.value == answer) => {
                Err(InvalidAnswer::NoChoice)
            }
            FieldKind::Consent if answer != "yes" => Err(InvalidAnswer::NoChoice),
            FieldKind::Text | FieldKind::Choice | FieldKind::Consent => Ok(()),
        }
    }

    /// Returns the most characters of an answer.
    pub fn max_length(&self) -> usize {
        self.max_length.unwrap_or(MAX_ANSWER_CHARS)
    }

    fn problem(&self) -> Option<Problem> {
        let key = &self.key;
        let is_key = (1..=40).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_key {
            let what = format!("the key of field `{key}` must be 1 to 40 small letters, digits and underscores");
            return Some(Problem::of("key", what));
        }
        let (is_text, is_choice) = (self.kind == FieldKind::Text, self.kind == FieldKind::Choice);
        if !self.label.is_complete() {
            Some(Problem::of("label", format!("field `{key}` needs its texts in English and Japanese")))
        } else if self.max_length.is_some_and(|max_length| !is_text || !(1..=MAX_ANSWER_CHARS).contains(&max_length)) {
            let what = format!("`max_length` of field `{key}` must be 1 to {MAX_ANSWER_CHARS}, and only a text has it");
            Some(Problem::of("max_length", what))
        } else if is_choice == self.choices.is_empty() {
            Some(Problem::of("choices", format!("field `{key}` must be a choice with its `choices`, or neither")))
        } else if self.document.as_ref().is_some_and(|url| self.kind != FieldKind::Consent || url.scheme() != "https") {
            let what = format!("`document` of field `{key}` must begin with https://, and only a consent has it");
            Some(Problem::of("document", what))
        } else {
            self.problem_of_choices()
        }
    }

    fn problem_of_choices(&self) -> Option<Problem> {
        let key = &self.key;
        let mut values = BTreeSet::new();
        self.choices.iter().enumerate().find_map(|(number, choice)| {
            let what = if !choice.label.is_complete() {
                format!("field `{key}` needs its texts in English and Japanese")
            } else if !choice.is_valid() {
                format!("each choice of field `{key}` needs a value of 1 to 100 characters, without blanks around it")
            } else if !values.insert(&choice.value) {
                format!("two choices of field `{key}` have the same value")
            } else {
                return None;
            };
            Some(Problem::at([Field("choices"), Item(number)], what))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn page(text: &str) -> Option<String> {
        toml::from_str::<Page>(text).unwrap().problem().map(|problem| problem.what)
    }

    #[test]
    fn the_documented_page_is_good() {
        #[derive(Deserialize)]
        struct Documented {
            page: Page,
        }
        let text = include_str!("../../../../listings/README.md");
        let documented = text.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let Documented { page } = toml::from_str(documented).unwrap();
        assert_eq!((page.problem(), page.fields.len()), (None, 3));
    }

    #[test]
    fn a_colour_is_read_and_written_the_same_and_nothing_else_is_one() {
        for text in ["#0b5cad", "#ffffff", "#000000"] {
            assert_eq!(text.parse::<Colour>().unwrap().to_string(), text);
        }
        for bad in ["", "0b5cad", "#0b5ca", "#0b5cadf", "#0b5cag", "#+b5cad", "red", "#é0000"] {
            assert_eq!(bad.parse::<Colour>(), Err(InvalidColour), "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let contrast = |one: &str, other: &str| one.parse::<Colour>().unwrap().contrast(other.parse().unwrap());
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        assert!((contrast("#777777", "#ffffff") - 4.48).abs() < 0.005);
        assert!((contrast("#ffffff", "#767676") - 4.54).abs() < 0.005);
    }

    #[test]
    fn what_buyers_could_not_read_or_answer_is_refused_with_what_is_wrong() {
        let field =
            |rest: &str| format!("[[fields]]\nkey = \"team\"\nlabel = {{ en = \"Team\", ja = \"部署\" }}\n{rest}");
        let choices = |one: &str, other: &str| {
            let choice = |value: &str| format!("{{ value = \"{value}\", label = {{ en = \"A\", ja = \"あ\" }} }}");
            field(&format!("kind = \"choice\"\nchoices = [{}, {}]", choice(one), choice(other)))
        };
        assert_eq!((page(&field("")), page(&choices("a", "b"))), (None, None));
        for (described, expected) in [
            ("logo = \"http://www.example.com/logo.png\"".to_owned(), "`page.logo` must begin with https://"),
            ("accent = \"#ffcc00\"".to_owned(), "`page.accent` cannot be read: its contrast is 1.5"),
            ("accent_dark = \"#0b5cad\"".to_owned(), "`page.accent_dark` cannot be read"),
            (field("").repeat(2), "described twice"),
            (field("").replace("team", "Team"), "must be 1 to 40 small letters"),
            (field("").replace("部署", " "), "in English and Japanese"),
            (field("max_length = 201"), "must be 1 to 200"),
            (field("kind = \"consent\"\nmax_length = 20"), "only a text has it"),
            (field("kind = \"choice\""), "a choice with its `choices`"),
            (
                field("choices = [{ value = \"a\", label = { en = \"A\", ja = \"あ\" } }]"),
                "a choice with its `choices`",
            ),
            (field("document = \"https://www.example.com\""), "only a consent has it"),
            (choices("a", "b "), "without blanks around it"),
            (choices("a", ""), "1 to 100 characters"),
            (choices("a", "a"), "have the same value"),
        ] {
            let problem = page(&described).unwrap_or_default();
            assert!(problem.contains(expected), "{described}: {problem}");
        }
        let many: String = (0..11).map(|at| field("").replace("team", &format!("team_{at}"))).collect();
        assert!(page(&many).unwrap().contains("at most 10"));
    }

    #[test]
    fn an_answer_is_judged_by_its_field() {
        let label =
            LocalizedText::new([(Language::English, "Team".to_owned()), (Language::Japanese, "部署".to_owned())]);
        let choices = vec![Choice { value: "a".to_owned(), label: label.clone() }];
        let field = |kind, choices, max_length| ExtraField {
            key: "team".to_owned(),
            kind,
            label: label.clone(),
            required: true,
            max_length,
            choices,
            document: None,
        };
        let text = field(FieldKind::Text, Vec::new(), Some(3));
        let choice = field(FieldKind::Choice, choices, None);
        let consent = field(FieldKind::Consent, Vec::new(), None);
        for (field, answer, expected) in [
            (&text, "あいう", Ok(())),
            (&text, "", Err(InvalidAnswer::Missing)),
            (&text, "あいうえ", Err(InvalidAnswer::TooLong(3))),
            (&text, "a\nb", Err(InvalidAnswer::Characters)),
            (&choice, "a", Ok(())),
            (&choice, "b", Err(InvalidAnswer::NoChoice)),
            (&consent, "yes", Ok(())),
            (&consent, "", Err(InvalidAnswer::Missing)),
            (&consent, "on", Err(InvalidAnswer::NoChoice)),
        ] {
            assert_eq!(field.judge(answer), expected, "{answer:?}");
        }
        assert_eq!(ExtraField { required: false, ..text }.judge(""), Ok(()));
    }
}
