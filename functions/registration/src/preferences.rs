//! The language and the format that a caller prefers.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use lambda::http::extract::text_of;
use lambda::http::negotiate;
use url::form_urlencoded;

use domain::language::Language;

/// The language and the format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// The language of the parameter `lang`, or else the one that the browser prefers.
    pub(crate) language: Language,
    /// The caller prefers JSON to a page.
    pub(crate) prefers_json: bool,
}

impl Preferences {
    /// Reads the preferences from a query and headers.
    pub(crate) fn of(query: Option<&str>, headers: &HeaderMap) -> Self {
        let text = |name| text_of(headers, name).unwrap_or_default();
        let chosen = parameter(query, "lang").and_then(|tag| Language::tagged(&tag));
        Self {
            language: chosen.unwrap_or_else(|| negotiate::language(text(header::ACCEPT_LANGUAGE))),
            prefers_json: negotiate::prefers_json(text(header::ACCEPT)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Preferences {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query(), &parts.headers))
    }
}

/// Returns the first value of a query parameter.
pub(crate) fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<Cow<'q, str>> {
    let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    parameters.find(|(key, _)| key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_lang_of_the_link_outweighs_the_browser() {
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static("ja"))]);
        for (query, expected) in [
            (None, Language::Japanese),
            (Some("lang=en"), Language::English),
            (Some("unknown=1&l%61ng=en&lang=ja"), Language::English),
            (Some("lang=de&lang=en"), Language::Japanese),
            (Some("lang"), Language::Japanese),
        ] {
            assert_eq!(Preferences::of(query, &headers).language, expected, "{query:?}");
        }
    }
}
