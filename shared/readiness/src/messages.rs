//! The texts of steps and checks.

use std::sync::LazyLock;

use jiff::Timestamp;

use texts::{Language, Texts};

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| Texts::read(Language::English, include_str!("../i18n/en.ftl")));
static JAPANESE: LazyLock<Texts> = LazyLock::new(|| Texts::read(Language::Japanese, include_str!("../i18n/ja.ftl")));

/// Returns the texts of steps and checks in a language. A step has a title and `.next`; a check has a title, `.mend`
/// and its messages. The texts of the report around them start with `report-`.
pub fn texts(language: Language) -> &'static Texts {
    match language {
        Language::English => &ENGLISH,
        Language::Japanese => &JAPANESE,
    }
}

/// Formats a time to the minute, by UTC.
pub fn moment(at: Timestamp, language: Language) -> String {
    at.strftime(match language {
        Language::English => "%-d %B %Y, %H:%M UTC",
        Language::Japanese => "%Y年%-m月%-d日 %H:%M (UTC)",
    })
    .to_string()
}

/// Formats the day of a time, by UTC.
pub fn day(at: Timestamp, language: Language) -> String {
    at.strftime(match language {
        Language::English => "%-d %B %Y",
        Language::Japanese => "%Y年%-m月%-d日",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use fluent_bundle::FluentResource;

    use super::*;
    use crate::{CHECKS, Step};

    #[test]
    fn every_step_and_check_has_its_texts_in_both_languages() {
        for language in Language::ALL {
            let texts = texts(language);
            let steps = Step::ALL.iter().map(|step| (step.message().to_owned(), ".next"));
            for (message, attribute) in steps.chain(CHECKS.iter().map(|check| (check.message(), ".mend"))) {
                let attribute = format!("{message}{attribute}");
                for id in [&message, &attribute] {
                    assert_ne!(&texts.say(id), id, "{language:?}");
                }
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_messages_and_say_the_same_things() {
        let [english, japanese] = [include_str!("../i18n/en.ftl"), include_str!("../i18n/ja.ftl")];
        for source in [english, japanese] {
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "a text cannot be read");
        }
        assert_eq!(names(english), names(japanese));
    }

    /// Returns each message and attribute, with its arguments.
    fn names(source: &str) -> Vec<(String, Vec<&str>)> {
        let (mut message, mut names) = (String::new(), Vec::new());
        for line in source.lines() {
            let Some((name, text)) = line.split_once(" =") else { continue };
            if name.starts_with('#') {
                continue;
            }
            let name = match name.trim().strip_prefix('.') {
                Some(attribute) => format!("{message}.{attribute}"),
                None => {
                    name.clone_into(&mut message);
                    message.clone()
                }
            };
            let mut filled: Vec<&str> =
                text.split("{ $").skip(1).filter_map(|rest| rest.split_once(" }").map(|(name, _)| name)).collect();
            filled.sort_unstable();
            filled.dedup();
            names.push((name, filled));
        }
        names
    }
}
