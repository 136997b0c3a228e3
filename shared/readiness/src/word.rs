//! Words that fill sentences, in the language of the sentence. Only their ids are stored.

use texts::Texts;

/// “the table”
pub const TABLE: &str = "word-table";
/// “AWS Marketplace’s catalog”
pub const CATALOG: &str = "word-catalog";
/// “the registration page”
pub const REGISTRATION_PAGE: &str = "word-registration-page";
/// “the connection ended without an answer”
pub const NO_ANSWER: &str = "word-no-answer";
/// “too many requests”
pub const TOO_MANY: &str = "word-too-many";
/// “its address is not known until the API is called once, or the stack has a domain”
pub const NO_ADDRESS: &str = "word-no-address";
/// “its event pattern is no JSON”
pub const ODD_PATTERN: &str = "word-odd-pattern";
/// “it did not say how many messages there are”
pub const NO_COUNT: &str = "word-no-count";
/// “it is not https”
pub const NOT_HTTPS: &str = "word-not-https";
/// “it holds a user or a password”
pub const WITH_USER: &str = "word-with-user";
/// “it has no host name”
pub const NO_HOST: &str = "word-no-host";
/// “its host has no address”
pub const NOT_FOUND: &str = "word-not-found";
/// “its host has an address that is not public”
pub const NOT_PUBLIC: &str = "word-not-public";
/// “it redirects without end”
pub const ENDLESS: &str = "word-endless";
/// “its certificate cannot be read”
pub const UNREADABLE_CERTIFICATE: &str = "word-unreadable-certificate";
/// “title”
pub const TITLE: &str = "word-title";
/// “short description”
pub const SHORT_DESCRIPTION: &str = "word-short-description";
/// “long description”
pub const LONG_DESCRIPTION: &str = "word-long-description";
/// “highlights”
pub const HIGHLIGHTS: &str = "word-highlights";
/// “search keywords”
pub const SEARCH_KEYWORDS: &str = "word-search-keywords";
/// “categories”
pub const CATEGORIES: &str = "word-categories";

/// Returns the id of the word for a part of a fulfillment URL that AWS does not accept.
pub(super) fn of_url(part: &str) -> String {
    format!("word-url-{part}")
}

/// Returns what fills a sentence: a word, or several separated by commas, each in the language. Other text stays as it
/// is.
pub(super) fn told(value: &str, texts: &Texts) -> String {
    let part = |part: &str| if part.starts_with("word-") { texts.say(part) } else { part.to_owned() };
    value.split(", ").map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::texts;
    use domain::language::Language;
    use domain::listing::unfit_for_fulfillment;

    const ALL: [&str; 21] = [
        TABLE,
        CATALOG,
        REGISTRATION_PAGE,
        NO_ANSWER,
        TOO_MANY,
        NO_ADDRESS,
        ODD_PATTERN,
        NO_COUNT,
        NOT_HTTPS,
        WITH_USER,
        NO_HOST,
        NOT_FOUND,
        NOT_PUBLIC,
        ENDLESS,
        UNREADABLE_CERTIFICATE,
        TITLE,
        SHORT_DESCRIPTION,
        LONG_DESCRIPTION,
        HIGHLIGHTS,
        SEARCH_KEYWORDS,
        CATEGORIES,
    ];

    #[test]
    fn every_word_is_told_in_both_languages() {
        let unfit = [
            "http://a.b/",
            "https://a/",
            "https://a.b:1/",
            "https://a.b/?q",
            "https://a.b/#f",
            "https://me@a.b/",
            "https://a.b/%20",
        ];
        let parts = unfit.map(|url| of_url(unfit_for_fulfillment(&url.parse::<Url>().unwrap()).unwrap()));
        for &language in Language::ALL {
            for word in ALL.iter().copied().chain(parts.iter().map(String::as_str)) {
                assert_ne!(told(word, texts(language)), word, "{language:?}");
            }
        }
    }

    #[test]
    fn only_words_are_told_otherwise() {
        let japanese = texts(Language::Japanese);
        assert_eq!(told(&format!("{TITLE}, {CATEGORIES}"), japanese), "タイトル, カテゴリー");
        assert_eq!(told(&format!("news-dead (3), {TABLE}, word"), japanese), "news-dead (3), テーブル, word");
        assert_eq!(told("word-unknown", japanese), "word-unknown");
    }
}
