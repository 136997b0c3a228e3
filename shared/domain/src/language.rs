//! The languages of the pages, mails and reports.
//!
//! To add a language, add an entry to the list at the end of this file and a `<tag>.ftl` file beside every `en.ftl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! languages {
    ($d:tt $($variant:ident = $tag:tt, $name:tt;)*) => {
        /// A language that texts are written in, as a tag of BCP 47.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Language {
            $(
                #[doc = concat!("`", $tag, "`: ", $name, ".")]
                #[serde(rename = $tag)]
                $variant,
            )*
        }

        impl Language {
            /// All languages. The first is the default.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the tag that `lang` attributes and `Content-Language` use.
            pub fn tag(self) -> &'static str {
                match self {
                    $(Self::$variant => $tag,)*
                }
            }

            /// Returns the name of the language in that language.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        /// Includes the Fluent files of a folder, `<tag>.ftl` for each language. The folder is relative to the file that
        /// calls the macro.
        #[macro_export]
        macro_rules! fluent_files {
            ($d folder:literal) => {
                &[$(($crate::language::Language::$variant, include_str!(concat!($d folder, "/", $tag, ".ftl")))),*]
            };
        }
    };
}

impl Language {
    /// Returns the language of a tag, if there is one.
    pub fn tagged(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.tag() == tag)
    }

    /// Returns the other languages.
    pub fn others(self) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |language| *language != self)
    }
}

/// A text in every language, by tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalizedText(BTreeMap<Language, String>);

impl LocalizedText {
    /// Creates a text from its form in each language.
    pub fn new(texts: impl IntoIterator<Item = (Language, String)>) -> Self {
        Self(texts.into_iter().collect())
    }

    /// Returns the text in a language; empty if it has none.
    pub fn text(&self, language: Language) -> &str {
        self.0.get(&language).map_or("", String::as_str)
    }

    /// Returns `true` if it has a text that is not blank in every language.
    pub fn is_complete(&self) -> bool {
        Language::ALL.iter().all(|language| !self.text(*language).trim().is_empty())
    }
}

languages! {
    $
    English = "en", "English";
    Japanese = "ja", "日本語";
}
