//! Answers in pages, and the tokens that lead from one page to the next.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::input::TextRule;
use crate::protocol::Document;

/// The position of a query in its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The number of items that were returned already.
    given: usize,
    /// The number of empty pages that are still to come.
    empty_pages: usize,
    /// The hash of the query, so that a token of another query is refused.
    query: u64,
}

/// Returns the hash of a request without the members about its pages.
pub fn query(request: &Document) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Document::Map(members) = request {
        let about_pages = ["NextToken", "nextToken", "MaxResults", "maxResults", "MaxRecords", "Limit", "limit"];
        for (name, value) in members.iter().filter(|(name, _)| !about_pages.contains(&name.as_str())) {
            (name, value.to_json().to_string()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

impl Cursor {
    /// Returns the position before the first page of a query, with this many empty pages before it.
    pub fn start(query: u64, empty_pages: usize) -> Self {
        Self { given: 0, empty_pages, query }
    }

    /// Reads the position from a token; `None` if it is not a token of this query.
    pub fn read(token: &str, query: u64) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut numbers = text.split('.');
        let cursor = Self {
            given: numbers.next()?.parse().ok()?,
            empty_pages: numbers.next()?.parse().ok()?,
            query: numbers.next()?.parse().ok()?,
        };
        (cursor.query == query && numbers.next().is_none()).then_some(cursor)
    }

    fn token(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}.{}", self.given, self.empty_pages, self.query))
    }

    /// Returns one page of the items, and the token of the next page if there is one.
    pub fn page<T>(self, items: Vec<T>, size: usize) -> (Vec<T>, Option<String>) {
        if self.empty_pages > 0 {
            return (Vec::new(), Some(Self { empty_pages: self.empty_pages - 1, ..self }.token()));
        }
        let all = items.len();
        let page: Vec<T> = items.into_iter().skip(self.given).take(size).collect();
        let given = self.given.saturating_add(page.len());
        (page, (given < all).then(|| Self { given, ..self }.token()))
    }
}

/// The Agreement Service's rule for its page tokens.
pub(crate) const AGREEMENT_TOKEN: TextRule = TextRule {
    shortest: 0,
    longest: 8192,
    pattern: "[a-zA-Z0-9+/=_-]+",
    allows: |c| c.is_ascii_alphanumeric() || "+/=_-".contains(c),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_all_items_in_order() {
        let items = || (0..5).collect::<Vec<u8>>();
        let mut cursor = Cursor::start(7, 1);
        let mut pages = Vec::new();
        loop {
            let (page, next) = cursor.page(items(), 2);
            pages.push(page);
            match next {
                Some(token) => cursor = Cursor::read(&token, 7).unwrap(),
                None => break,
            }
        }
        assert_eq!(pages, [vec![], vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn a_token_of_another_query_is_refused() {
        let token = Cursor::start(7, 0).token();
        assert_eq!(Cursor::read(&token, 8), None);
        for text in ["", "x", "MC4w", "\u{e9}", "AAAA"] {
            assert_eq!(Cursor::read(text, 7), None);
        }
    }
}
