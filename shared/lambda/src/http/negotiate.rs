//! Content negotiation: the weights of `Accept` and `Accept-Language` (RFC 9110, 12.4 and 12.5).

use std::cmp::Reverse;

use domain::language::Language;

/// Returns the preferred language of the pages; English if none is requested.
pub fn language(accept_language: &str) -> Language {
    // By weight; of the same weight, the first one; a language that only `*` allows comes last.
    let rank = |language: Language| {
        let primary = |range: &str| range.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let ranges = weighted(accept_language).enumerate();
        let named = ranges.filter(|(_, (range, _))| primary(range) == language.tag());
        let ranked = named.map(|(place, (_, weight))| (weight, Reverse(place))).max();
        let any = || weighted(accept_language).find(|(range, _)| *range == "*");
        ranked.or_else(|| any().map(|(_, weight)| (weight, Reverse(usize::MAX)))).filter(|(weight, _)| *weight > 0)
    };
    // Of languages of the same rank, the first of the list.
    Language::ALL.iter().copied().rev().max_by_key(|language| rank(*language)).unwrap_or(Language::English)
}

/// Returns the weight of a media type, in thousandths; 0 if it is not accepted. The first of the ranges that the header
/// has decides, so `ranges` go from the narrowest to the widest.
pub fn weight(accept: &str, ranges: &[&str]) -> u16 {
    let of_range = |name: &&str| {
        let same = weighted(accept).filter(|(range, _)| range.eq_ignore_ascii_case(name));
        same.map(|(_, weight)| weight).max()
    };
    ranges.iter().find_map(of_range).unwrap_or(0)
}

/// Returns `true` if JSON is preferred to a page.
pub fn prefers_json(accept: &str) -> bool {
    let json = weight(accept, &["application/json"]).max(weight(accept, &["application/problem+json"]));
    let json = if json > 0 { json } else { weight(accept, &["application/*", "*/*"]) };
    json > weight(accept, &["text/html", "text/*", "*/*"])
}

/// Returns the ranges of such a header with their weights in thousandths. A range that cannot be read is ignored.
fn weighted(header: &str) -> impl Iterator<Item = (&str, u16)> {
    header.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let range = parts.next().filter(|range| !range.is_empty())?;
        let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
        Some((range, weight.map_or(Some(1000), thousandths)?))
    })
}

/// Reads a weight: 0 to 1 with up to three decimals.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_weighs_most() {
        let cases = [
            ("", Language::English),
            ("ja", Language::Japanese),
            ("ja-JP", Language::Japanese),
            ("JA", Language::Japanese),
            ("en-US,en;q=0.9,ja;q=0.8", Language::English),
            ("ja,en-US;q=0.9,en;q=0.8", Language::Japanese),
            ("fr-FR,fr;q=0.9,ja;q=0.2,en;q=0.1", Language::Japanese),
            ("en;q=0.1, ja;q=0.11", Language::Japanese),
            ("en;q=0.5, ja;q=0.5", Language::English),
            ("ja;q=0.5, en;q=0.5", Language::Japanese),
            ("ja;q=0", Language::English),
            ("ja;q=0, *", Language::English),
            ("en;q=0, *;q=0.5", Language::Japanese),
            ("*", Language::English),
            ("de", Language::English),
            ("jav", Language::English),
            ("ja;q=2, en;q=0.1", Language::English),
            ("ja;q=NaN", Language::English),
            ("ja;q=0.8;q=1", Language::Japanese),
            (";q=1,,;;", Language::English),
        ];
        for (header, expected) in cases {
            assert_eq!(language(header), expected, "{header:?}");
        }
    }

    #[test]
    fn json_is_for_those_who_rather_have_it() {
        for json in [
            "application/json",
            "application/problem+json",
            "application/json, text/html;q=0.9",
            "application/json, */*;q=0.5",
            "application/*, text/html;q=0.2",
        ] {
            assert!(prefers_json(json), "{json:?}");
        }
        for html in [
            "",
            "*/*",
            "text/html",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, application/json",
            "application/json;q=0.4, text/*",
            "application/json;q=0",
            "image/png",
        ] {
            assert!(!prefers_json(html), "{html:?}");
        }
    }
}
