//! Texts for users in their languages ([Fluent](https://projectfluent.org)).

use std::sync::OnceLock;

use domain::language::Language;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// The texts of a page, mail or report in every language. Each language is parsed when it is first asked for.
pub struct Catalog {
    sources: &'static [(Language, &'static str)],
    texts: [OnceLock<Texts>; Language::ALL.len()],
}

impl Catalog {
    /// Creates a catalog of Fluent files, as [`domain::fluent_files`] includes them.
    pub const fn new(sources: &'static [(Language, &'static str)]) -> Self {
        Self { sources, texts: [const { OnceLock::new() }; Language::ALL.len()] }
    }

    /// Returns the texts of a language.
    pub fn texts(&self, language: Language) -> &Texts {
        #[expect(clippy::indexing_slicing, reason = "the array has one element for each language")]
        self.texts[language as usize].get_or_init(|| Texts::read(language, self.source(language)))
    }

    /// Returns the Fluent file of a language.
    pub fn source(&self, language: Language) -> &'static str {
        self.sources.iter().find(|(of, _)| *of == language).map_or("", |(_, source)| source)
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
