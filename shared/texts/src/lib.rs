//! Texts for users, in English and Japanese ([Fluent](https://projectfluent.org)).

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use serde::Deserialize;
use unic_langid::LanguageIdentifier;
use utoipa::ToSchema;

/// A language that texts are written in: `en` for English, `ja` for Japanese.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Japanese.
    #[serde(rename = "ja")]
    Japanese,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// Returns the language of a tag, if there is one.
    pub fn tagged(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// Returns the tag that `lang` attributes and `Content-Language` use.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// Returns the name of the language in that language.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    /// Returns the language that a page offers besides this one.
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Japanese,
            Self::Japanese => Self::English,
        }
    }
}

/// The texts of one language.
pub struct Texts {
    /// The language.
    pub language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads texts. Messages that cannot be read are left out.
    pub fn read(language: Language, source: &str) -> Self {
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(readable, _)| readable);
        let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // Isolation marks would appear in titles, mails and screen readers; no text here mixes writing directions.
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { language, bundle }
    }

    /// Returns a message, or with `id.attribute` a message's attribute. If the id is missing, returns the id.
    pub fn say(&self, id: &str) -> String {
        self.say_with(id, [])
    }

    /// Returns a message that names the product.
    pub fn say_of(&self, id: &str, product: &str) -> String {
        self.say_with(id, [("product", product)])
    }

    /// Returns a message with its arguments filled in.
    pub fn say_with<const N: usize>(&self, id: &str, arguments: [(&str, &str); N]) -> String {
        self.fill(id, arguments)
    }

    /// Returns a message with arguments that are only known at run time.
    pub fn fill<'a>(&self, id: &str, arguments: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let (message, attribute) = id.split_once('.').map_or((id, None), |(message, rest)| (message, Some(rest)));
        let message = self.bundle.get_message(message);
        let pattern = message.and_then(|message| match attribute {
            Some(attribute) => message.get_attribute(attribute).map(|attribute| attribute.value()),
            None => message.value(),
        });
        let arguments = FluentArgs::from_iter(arguments);
        match pattern {
            Some(pattern) => self.bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned(),
            None => id.to_owned(),
        }
    }
}
