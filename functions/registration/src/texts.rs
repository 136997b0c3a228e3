//! The messages of the pages, in their languages (`i18n/*.ftl`).

use domain::language::Language;
use texts::{Catalog, Texts};

static CATALOG: Catalog = Catalog::new(domain::fluent_files!("../i18n"));

/// Returns the messages of a language.
pub(crate) fn texts(language: Language) -> &'static Texts {
    CATALOG.texts(language)
}

/// The id of a message that code names and a page shows later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use fluent_bundle::FluentResource;

    use super::*;
    use crate::failure::Failure;

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
        for state in domain::license::StateName::ALL {
            ids.extend(["", ".explanation"].map(|part| format!("status-{}{part}", state.as_str())));
        }
        ids
    }

    #[test]
    fn every_text_can_be_read() {
        for &language in Language::ALL {
            let source = CATALOG.source(language);
            let resource = FluentResource::try_new(source.to_owned());
            assert!(resource.is_ok(), "{}: {:?}", language.tag(), resource.err().map(|(_, errors)| errors));
        }
    }

    #[test]
    fn every_language_has_the_messages_that_are_used_and_no_others() {
        let said = said();
        for &language in Language::ALL {
            let written = written(CATALOG.source(language));
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
        for &language in Language::ALL {
            let texts = texts(language);
            for id in written(CATALOG.source(language)) {
                let arguments = [("product", "Product <1>"), ("field", "Field"), ("max_length", "40")];
                let text = texts.say_with(&id, arguments);
                assert!(!text.contains(['{', '}', '\u{2068}', '\u{2069}']) && text != id, "{id}: {text}");
            }
            assert!(texts.say_of("linked-title", "Product <1>").contains("Product <1>"));
        }
    }
}
