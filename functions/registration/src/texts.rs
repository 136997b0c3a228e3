//! What buyers read, in the languages of the pages (`i18n/*.ftl`, [Fluent](https://projectfluent.org)).

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use stallkeeper::http::Request;
use unic_langid::LanguageIdentifier;

use crate::negotiate;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Japanese,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// The language of an answer: the one that the link says, or else the one that the browser prefers.
    pub(crate) fn of(request: &Request) -> Self {
        let said =
            request.parameter("lang").and_then(|tag| Self::ALL.into_iter().find(|language| language.tag() == tag));
        said.unwrap_or_else(|| negotiate::language(request.header(http::header::ACCEPT_LANGUAGE).unwrap_or_default()))
    }

    /// As `lang` attributes and `Content-Language` have it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// As its own speakers call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    /// The language that a page offers besides this one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::English => Self::Japanese,
            Self::Japanese => Self::English,
        }
    }

    /// What is written in it.
    pub(crate) fn texts(self) -> &'static Texts {
        static ENGLISH: LazyLock<Texts> =
            LazyLock::new(|| Texts::read(Language::English, include_str!("../i18n/en.ftl")));
        static JAPANESE: LazyLock<Texts> =
            LazyLock::new(|| Texts::read(Language::Japanese, include_str!("../i18n/ja.ftl")));
        match self {
            Self::English => &ENGLISH,
            Self::Japanese => &JAPANESE,
        }
    }
}

/// The id of a message that code names and a page says later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId(pub(crate) &'static str);

/// The texts of one language.
pub(crate) struct Texts {
    pub(crate) language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// A message, or with `id.attribute` a message's attribute.
    pub(crate) fn say(&self, id: &str) -> String {
        self.format(id, None)
    }

    /// A message that names the product.
    pub(crate) fn say_of(&self, id: &str, product: &str) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("product", product);
        self.format(id, Some(&arguments))
    }

    /// A message about a field of a listing, which may name the most characters of an answer.
    pub(crate) fn say_of_field(&self, id: &str, field: &str, longest: usize) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("field", field);
        arguments.set("longest", longest);
        self.format(id, Some(&arguments))
    }

    /// Which messages there are is settled by a test; an id that were missing would show itself and break nothing.
    fn format(&self, id: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let (message, attribute) = id.split_once('.').map_or((id, None), |(message, rest)| (message, Some(rest)));
        let message = self.bundle.get_message(message);
        let pattern = message.and_then(|message| match attribute {
            Some(attribute) => message.get_attribute(attribute).map(|attribute| attribute.value()),
            None => message.value(),
        });
        match pattern {
            Some(pattern) => self.bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned(),
            None => id.to_owned(),
        }
    }

    fn read(language: Language, source: &str) -> Self {
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(readable, _)| readable);
        let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // The marks would stand in titles, mails and screen readers; no text here mixes writing directions.
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { language, bundle }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::failure::Failure;

    const SOURCES: [(Language, &str); 2] =
        [(Language::English, include_str!("../i18n/en.ftl")), (Language::Japanese, include_str!("../i18n/ja.ftl"))];

    /// Every id and `id.attribute` of a source.
    fn written(source: &str) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        let mut message = "";
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            let Some((left, _)) = line.split_once(" = ") else { continue };
            if let Some(attribute) = left.trim_start().strip_prefix('.') {
                ids.insert(format!("{message}.{attribute}"));
            } else {
                message = left;
                assert!(ids.insert(left.to_owned()), "{left} is there twice");
            }
        }
        ids
    }

    /// Every id that the templates and the code say, and those that are made from a name.
    fn said() -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for folder in ["templates", "src"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                let text = text.split("#[cfg(test)]").next().unwrap();
                for call in ["say(\"", "say_of(\"", "MessageId(\""] {
                    ids.extend(text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
                }
            }
        }
        for code in Failure::CODES {
            ids.extend(["", ".explanation", ".action"].map(|part| format!("problem-{code}{part}")));
        }
        for state in stallkeeper::license::StateName::ALL {
            ids.extend(["", ".explanation"].map(|part| format!("status-{}{part}", state.as_str())));
        }
        ids
    }

    #[test]
    fn every_text_can_be_read() {
        for (language, source) in SOURCES {
            let resource = FluentResource::try_new(source.to_owned());
            assert!(resource.is_ok(), "{}: {:?}", language.tag(), resource.err().map(|(_, errors)| errors));
        }
    }

    #[test]
    fn both_languages_say_everything_that_is_said_and_nothing_else() {
        let said = said();
        for (language, source) in SOURCES {
            let written = written(source);
            let missing: Vec<_> = said.difference(&written).collect();
            let unused: Vec<_> = written.difference(&said).collect();
            assert!(
                missing.is_empty() && unused.is_empty(),
                "{}: missing {missing:?}, unused {unused:?}",
                language.tag()
            );
        }
    }

    #[test]
    fn a_text_is_filled_in_without_marks_or_leftovers() {
        for language in Language::ALL {
            let texts = language.texts();
            for id in written(SOURCES.iter().find(|(of, _)| *of == language).unwrap().1) {
                let mut arguments = FluentArgs::from_iter([("product", "Product <1>"), ("field", "Field")]);
                arguments.set("longest", 40);
                let text = texts.format(&id, Some(&arguments));
                assert!(!text.contains(['{', '}', '\u{2068}', '\u{2069}']) && text != id, "{id}: {text}");
            }
            assert!(texts.say_of("linked-title", "Product <1>").contains("Product <1>"));
        }
    }
}
