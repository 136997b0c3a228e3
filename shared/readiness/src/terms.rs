//! Terms that fill messages, in the language of the message. Only their ids are stored.

use texts::Texts;

/// “the table”
pub const TABLE: &str = "term-table";
/// “AWS Marketplace’s catalog”
pub const CATALOG: &str = "term-catalog";
/// “the registration page”
pub const REGISTRATION_PAGE: &str = "term-registration-page";
/// “the connection ended without an answer”
pub const NO_ANSWER: &str = "term-no-answer";
/// “too many requests”
pub const TOO_MANY_REQUESTS: &str = "term-too-many-requests";
/// “its address is unknown until the API is called once or the stack has a domain”
pub const NO_ADDRESS: &str = "term-no-address";
/// “its event pattern is not JSON”
pub const INVALID_PATTERN: &str = "term-invalid-pattern";
/// “it returned no number of messages”
pub const NO_COUNT: &str = "term-no-count";
/// “it is not https”
pub const NOT_HTTPS: &str = "term-not-https";
/// “it contains a user or a password”
pub const WITH_USER: &str = "term-with-user";
/// “it has no host name”
pub const NO_HOST: &str = "term-no-host";
/// “its host has no address”
pub const NOT_FOUND: &str = "term-not-found";
/// “its host has an address that is not public”
pub const NOT_PUBLIC: &str = "term-not-public";
/// “it redirects too many times”
pub const TOO_MANY_REDIRECTS: &str = "term-too-many-redirects";
/// “its certificate cannot be read”
pub const UNREADABLE_CERTIFICATE: &str = "term-unreadable-certificate";
/// “title”
pub const TITLE: &str = "term-title";
/// “short description”
pub const SHORT_DESCRIPTION: &str = "term-short-description";
/// “long description”
pub const LONG_DESCRIPTION: &str = "term-long-description";
/// “highlights”
pub const HIGHLIGHTS: &str = "term-highlights";
/// “search keywords”
pub const SEARCH_KEYWORDS: &str = "term-search-keywords";
/// “categories”
pub const CATEGORIES: &str = "term-categories";

/// Returns the id of the term for a part of a fulfillment URL that AWS does not accept.
pub(super) fn of_url(part: &str) -> String {
    format!("term-url-{part}")
}

/// Returns the text of an argument in a language: of a term, or of several terms that are separated by commas. Other
/// text is returned unchanged.
pub(super) fn localized(value: &str, texts: &Texts) -> String {
    let part = |part: &str| if part.starts_with("term-") { texts.say(part) } else { part.to_owned() };
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
        TOO_MANY_REQUESTS,
        NO_ADDRESS,
        INVALID_PATTERN,
        NO_COUNT,
        NOT_HTTPS,
        WITH_USER,
        NO_HOST,
        NOT_FOUND,
        NOT_PUBLIC,
        TOO_MANY_REDIRECTS,
        UNREADABLE_CERTIFICATE,
        TITLE,
        SHORT_DESCRIPTION,
        LONG_DESCRIPTION,
        HIGHLIGHTS,
        SEARCH_KEYWORDS,
        CATEGORIES,
    ];

    #[test]
    fn every_term_has_a_text_in_every_language() {
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
            for term in ALL.iter().copied().chain(parts.iter().map(String::as_str)) {
                assert_ne!(localized(term, texts(language)), term, "{language:?}");
            }
        }
    }

    #[test]
    fn only_terms_are_translated() {
        let japanese = texts(Language::Japanese);
        assert_eq!(localized(&format!("{TITLE}, {CATEGORIES}"), japanese), "タイトル, カテゴリー");
        assert_eq!(localized(&format!("news-dead (3), {TABLE}, term"), japanese), "news-dead (3), テーブル, term");
        assert_eq!(localized("term-unknown", japanese), "term-unknown");
    }
}
