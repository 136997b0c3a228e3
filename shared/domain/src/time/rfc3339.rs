//! Times in the form that the API accepts: RFC 3339 and nothing else.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;

/// A time in the form of RFC 3339 (`date-time`, section 5.6): with seconds, and `Z` or an offset.
///
/// [`Timestamp`] reads more than that: times without seconds, without punctuation, or with the name of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Rfc3339(pub Timestamp);

/// The error of a text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of RFC 3339, with seconds and `Z` or an offset: 2026-11-10T09:20:00Z")]
pub struct InvalidTime;

/// The most digits of a fraction that a [`Timestamp`] holds.
const MAX_FRACTION_DIGITS: usize = 9;

impl FromStr for Rfc3339 {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let (date_time, rest) = text.split_at_checked(19).ok_or(InvalidTime)?;
        let fraction = match rest.strip_prefix('.') {
            Some(rest) => rest.get(..rest.bytes().take_while(u8::is_ascii_digit).count()).unwrap_or_default(),
            None => "",
        };
        let offset = if fraction.is_empty() { rest } else { rest.get(1 + fraction.len()..).unwrap_or_default() };
        let is_offset = offset.eq_ignore_ascii_case("z")
            || (fits(offset, "+00:00") || fits(offset, "-00:00")) && offset.get(1..3).is_some_and(|hour| hour < "24");
        if !fits(date_time, "0000-00-00T00:00:00") || !is_offset {
            return Err(InvalidTime);
        }
        let fraction = fraction.get(..MAX_FRACTION_DIGITS).unwrap_or(fraction);
        let point = if fraction.is_empty() { "" } else { "." };
        let read = format!("{date_time}{point}{fraction}{offset}").to_ascii_uppercase().parse();
        read.map(Self).map_err(|_| InvalidTime)
    }
}

impl TryFrom<String> for Rfc3339 {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        text.parse()
    }
}

/// Returns `true` if a text has digits where the form has zeros, and otherwise the form's characters, in either case.
fn fits(text: &str, form: &str) -> bool {
    let fits =
        |(given, form): (u8, u8)| if form == b'0' { given.is_ascii_digit() } else { given.eq_ignore_ascii_case(&form) };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rfc_3339_allows_is_read() {
        for (text, read_as) in [
            ("2026-11-10T09:20:00Z", "2026-11-10T09:20:00Z"),
            ("2026-11-10t09:20:00z", "2026-11-10T09:20:00Z"),
            ("2026-11-10T18:20:00+09:00", "2026-11-10T09:20:00Z"),
            ("2026-11-10T09:20:00-00:00", "2026-11-10T09:20:00Z"),
            ("2026-11-10T09:20:00.5Z", "2026-11-10T09:20:00.5Z"),
            ("2026-11-10T09:20:00.1234567891234-01:30", "2026-11-10T10:50:00.123456789Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
        ] {
            assert_eq!(text.parse::<Rfc3339>().map(|time| time.0.to_string()), Ok(read_as.to_owned()), "{text}");
        }
    }

    #[test]
    fn whatever_else_a_timestamp_is_read_from_is_refused() {
        for text in [
            "",
            "2026-11-10",
            "2026-11-10T09:20:00",
            "2026-11-10T09:20Z",
            "2026-11-10T09Z",
            "2026-11-10 09:20Z",
            "2026-11-10 09:20:00Z",
            "20261110T092000Z",
            "2026-11-10T092000Z",
            "2026-11-10T09:20:00+09",
            "2026-11-10T09:20:00+0900",
            "2026-11-10T09:20:00+24:00",
            "2026-11-10T09:20:00+09:00:00",
            "2026-11-10T09:20:00Z[UTC]",
            "2026-11-10T09:20:00+09:00[Asia/Tokyo]",
            "2026-11-10T09:20:00[UTC]",
            "2026-11-10T09:20:00,5Z",
            "2026-11-10T09:20:00.Z",
            "2026-11-10T24:00:00Z",
            "2026-11-31T09:20:00Z",
            "2026-02-29T09:20:00Z",
            "+002026-11-10T09:20:00Z",
            "-002026-11-10T09:20:00Z",
            " 2026-11-10T09:20:00Z",
            "2026-11-10T09:20:00Z ",
            "2026-11-10T09:20:00\u{2212}09:00",
            "２026-11-10T09:20:00Z",
            "1794302400",
        ] {
            assert_eq!(text.parse::<Rfc3339>(), Err(InvalidTime), "{text}");
        }
    }
}
