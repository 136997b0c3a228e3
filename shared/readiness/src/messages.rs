//! The texts of steps and checks.

use domain::language::Language;
use jiff::Timestamp;
use texts::{Catalog, Texts};

static CATALOG: Catalog = Catalog::new(domain::fluent_files!("../i18n"));

/// Returns the texts of steps and checks in a language. A step has a title and `.next`; a check has a title,
/// `.remediation` and its messages. The texts of the report around them start with `report-`.
pub fn texts(language: Language) -> &'static Texts {
    CATALOG.texts(language)
}

/// Formats a time to the minute, by UTC.
pub fn moment(at: Timestamp, language: Language) -> String {
    at.strftime(&texts(language).say("report-moment-format")).to_string()
}

/// Formats the day of a time, by UTC.
pub fn day(at: Timestamp, language: Language) -> String {
    at.strftime(&texts(language).say("report-day-format")).to_string()
}

#[cfg(test)]
mod tests {
    use fluent_bundle::FluentResource;

    use super::*;
    use crate::{CHECKS, Step};

    #[test]
    fn every_step_and_check_has_its_texts_in_both_languages() {
        for &language in Language::ALL {
            let texts = texts(language);
            let steps = Step::ALL.iter().map(|step| (step.message().to_owned(), ".next"));
            for (message, attribute) in steps.chain(CHECKS.iter().map(|check| (check.message(), ".remediation"))) {
                let attribute = format!("{message}{attribute}");
                for id in [&message, &attribute] {
                    assert_ne!(&texts.say(id), id, "{language:?}");
                }
            }
        }
    }

    #[test]
    fn every_language_has_the_same_messages_with_the_same_arguments() {
        let english = CATALOG.source(Language::English);
        for &language in Language::ALL {
            let source = CATALOG.source(language);
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{language:?}: a text cannot be read");
            assert_eq!(names(source), names(english), "{language:?}");
        }
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
