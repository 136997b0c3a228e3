use std::collections::BTreeSet;

use fluent_bundle::FluentResource;

use super::*;

const SOURCES: &[(Language, &str)] = domain::fluent_files!("../i18n");

const OCCASIONS: [Occasion; 6] = [
    Occasion::Completed,
    Occasion::Returned,
    Occasion::Ended(EndReason::Expired),
    Occasion::Ended(EndReason::Cancelled),
    Occasion::Ended(EndReason::Terminated),
    Occasion::Ended(EndReason::Deprovisioned),
];

fn letter(occasion: Occasion, language: Language) -> Letter {
    let listing = Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap();
    Letter::write(occasion, &listing, language, "2026-11-10T09:20:00Z".parse().unwrap()).unwrap()
}

/// Returns every id and `id.attribute` of a source.
fn written(source: &str) -> BTreeSet<String> {
    assert!(FluentResource::try_new(source.to_owned()).is_ok());
    let mut ids = BTreeSet::new();
    let mut message = "";
    for (left, _) in source.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = ")) {
        match left.trim_start().strip_prefix('.') {
            Some(attribute) => assert!(ids.insert(format!("{message}.{attribute}"))),
            None => {
                message = left;
                assert!(ids.insert(left.to_owned()));
            }
        }
    }
    ids
}

#[test]
fn every_language_has_the_same_texts_and_the_letters_use_them_all() {
    let (_, english) = SOURCES[0];
    for &(language, source) in SOURCES {
        assert_eq!(written(source), written(english), "{language:?}");
        let letters: String = OCCASIONS.map(|occasion| letter(occasion, language).text).concat();
        for id in written(source) {
            let text = texts(language).say_with(&id, [("product", "Demo Contract"), ("at", "2026-11-10 09:20 UTC")]);
            assert!(!text.contains(['{', '}']) && text != id, "{id}: {text}");
            assert!(letters.contains(&text), "{id} is in no letter: {text}");
        }
    }
}

#[test]
fn letters_are_as_they_were_looked_at() {
    for &language in Language::ALL {
        let tag = language.tag();
        insta::assert_snapshot!(format!("completed-{tag}"), letter(Occasion::Completed, language).text);
        insta::assert_snapshot!(format!("returned-{tag}"), letter(Occasion::Returned, language).text);
        insta::assert_snapshot!(format!("ended-{tag}"), letter(Occasion::Ended(EndReason::Expired), language).text);
    }
    insta::assert_snapshot!("completed-html", letter(Occasion::Completed, Language::English).html);
}

#[test]
fn a_name_becomes_words_of_ascii_that_are_no_longer_than_allowed() {
    assert_eq!(mailbox("Demo", "no-reply@example.com"), "=?UTF-8?B?RGVtbw==?= <no-reply@example.com>");
    let mailbox = mailbox(&"分析の\"道具\"".repeat(12), "no-reply@example.com");
    let (words, _) = mailbox.rsplit_once(' ').unwrap();
    assert!(mailbox.is_ascii() && words.split(' ').all(|word| word.len() <= 75), "{mailbox}");
    let decoded: Vec<u8> = words
        .split(' ')
        .flat_map(|word| STANDARD.decode(word.strip_prefix("=?UTF-8?B?").unwrap().strip_suffix("?=").unwrap()).unwrap())
        .collect();
    assert_eq!(String::from_utf8(decoded).unwrap(), "分析の\"道具\"".repeat(12));
}

#[test]
fn what_is_mailed_is_what_the_queue_listens_for() {
    let ended = |reason| OutboundEventKind::LicenseEnded { reason, successor: None };
    let kinds =
        [ended(EndReason::Expired), OutboundEventKind::RegistrationCompleted, OutboundEventKind::RegistrationReturned];
    assert_eq!(kinds.each_ref().map(OutboundEventKind::name), crate::MAILED);
    assert!(kinds.iter().all(|kind| Occasion::of(kind).is_some()));
    assert_eq!(Occasion::of(&ended(EndReason::Succeeded)), None);
}
