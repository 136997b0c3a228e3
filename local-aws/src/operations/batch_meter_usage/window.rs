//! The time window in which usage is accepted.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::error::ServiceError;

/// The age at which a record is refused: "Usage records aren't accepted 24 hours or more after an event."
const LONGEST_AGO: SignedDuration = SignedDuration::from_hours(24);

/// The time in which usage of the previous billing month is accepted: "We accept usage records for the previous billing
/// month until 06:00 UTC on the first day of the next month."
const GRACE: SignedDuration = SignedDuration::from_hours(6);

/// The time by which usage may lie in the future. AWS documents nothing about such usage; this allows for clock skew.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn check(at: Timestamp, now: Timestamp) -> Result<(), ServiceError> {
    if is_open(at, now) {
        return Ok(());
    }
    let message = "The timestamp value passed in the UsageRecord is out of allowed range.";
    Err(ServiceError::modelled("TimestampOutOfBoundsException", 400, message))
}

fn is_open(at: Timestamp, now: Timestamp) -> bool {
    let ago = now.duration_since(at);
    let month_began = first_of_month(now);
    let is_earlier_month = at < month_began;
    let grace_is_over = now.duration_since(month_began) >= GRACE;
    ago < LONGEST_AGO && ago >= -FUTURE && !(is_earlier_month && grace_is_over)
}

fn first_of_month(at: Timestamp) -> Timestamp {
    let first: Date = at.to_zoned(TimeZone::UTC).date().first_of_month();
    first.to_zoned(TimeZone::UTC).map_or(at, |midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_accepted_for_24_hours_and_of_the_previous_month_until_six() {
        let cases = [
            ("2026-11-15T10:00:00Z", "2026-11-16T09:59:59Z", true),
            ("2026-11-15T10:00:00Z", "2026-11-16T10:00:00Z", false),
            ("2026-11-30T23:00:00Z", "2026-12-01T05:59:59.999Z", true),
            ("2026-11-30T23:00:00Z", "2026-12-01T06:00:00Z", false),
            ("2026-12-01T00:00:00Z", "2026-12-01T06:00:00Z", true),
            ("2026-12-31T23:59:59Z", "2027-01-01T05:00:00Z", true),
            ("2026-12-31T23:59:59Z", "2027-01-01T06:00:00Z", false),
            ("2026-11-16T10:05:00Z", "2026-11-16T10:00:00Z", true),
            ("2026-11-16T10:05:01Z", "2026-11-16T10:00:00Z", false),
        ];
        for (at, now, open) in cases {
            assert_eq!(is_open(at.parse().unwrap(), now.parse().unwrap()), open, "{at} at {now}");
        }
    }
}
