//! The hours and months by which usage is billed, and times as the API writes them.

mod rfc3339;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ledger_schedule::LedgerSchedule;

pub use rfc3339::{InvalidTime, Rfc3339};

/// An hour in UTC by which usage is billed, written `2026-11-10T09`. It holds no minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsageHour(Timestamp);

marketplace_ids::text_schema!(
    UsageHour,
    "Hour",
    "An hour of UTC.",
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])$",
    "2026-11-10T09"
);

/// A month of UTC that usage is billed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BillingMonth(Date);

/// A text that is no hour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an hour is written like 2026-11-10T09, not {0:?}")]
pub struct InvalidHour(String);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl UsageHour {
    /// Returns the hour that contains a moment.
    pub fn of(at: Timestamp) -> Self {
        let into = at.as_second().rem_euclid(3600);
        let start = Timestamp::from_second(at.as_second() - into).unwrap_or(at);
        Self(start)
    }

    /// Returns its first moment.
    pub fn start(self) -> Timestamp {
        self.0
    }

    /// Returns the first moment after it.
    pub fn end(self) -> Timestamp {
        self.0.saturating_add(HOUR).unwrap_or(Timestamp::MAX)
    }

    /// Returns the hour after it.
    pub fn next(self) -> Self {
        Self(self.end())
    }

    /// Returns the hour before it.
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(HOUR).unwrap_or(Timestamp::MIN))
    }

    /// Returns the month in which it is billed.
    pub fn month(self) -> BillingMonth {
        BillingMonth(TimeZone::UTC.to_datetime(self.0).date().first_of_month())
    }

    /// Returns the month before the one in which it is billed.
    pub fn month_before(self) -> BillingMonth {
        let first = TimeZone::UTC.to_datetime(self.0).date().first_of_month();
        BillingMonth(first.yesterday().map_or(first, jiff::civil::Date::first_of_month))
    }

    /// Returns `true` if it is the last hour of its month, which takes the month's late usage until 05:30 on the 1st.
    pub fn closes_month(self) -> bool {
        self.next().month() != self.month()
    }

    /// Returns the moment until which usage of this hour is written without a read: 5 minutes after its end, or 05:30
    /// on the 1st.
    pub fn open_until(self) -> Timestamp {
        self.schedule().open_until(self.end())
    }

    /// Returns the moment from which the hour is summed: 5 minutes after the last such write started, which takes 30
    /// seconds at most.
    pub fn summed_from(self) -> Timestamp {
        self.schedule().summed_from(self.end())
    }

    /// Returns the moment from which the hour is swept once more for late usage.
    pub fn swept_from(self) -> Timestamp {
        self.schedule().swept_from(self.end())
    }

    fn schedule(self) -> LedgerSchedule {
        if self.closes_month() { LedgerSchedule::LAST_HOUR_OF_MONTH } else { LedgerSchedule::HOUR }
    }
}

impl BillingMonth {
    /// Returns the moment from which no more usage of the month is accepted: 05:30 UTC on the 1st of the next month.
    pub fn intake_closes(self) -> Timestamp {
        LedgerSchedule::intake_closes(self.end())
    }

    /// Returns the moment from which AWS accepts no more records of the month: 06:00 UTC on the 1st of the next month
    /// (BatchMeterUsage).
    pub fn window_closes(self) -> Timestamp {
        LedgerSchedule::window_closes(self.end())
    }

    /// Returns the last hour of the month.
    pub fn last_hour(self) -> UsageHour {
        UsageHour::of(self.end()).previous()
    }

    /// Returns the first moment after the month.
    pub fn end(self) -> Timestamp {
        let first = self.0.last_of_month().tomorrow().unwrap_or(self.0);
        TimeZone::UTC.to_timestamp(first.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for UsageHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", TimeZone::UTC.to_datetime(self.0).strftime("%Y-%m-%dT%H"))
    }
}

impl FromStr for UsageHour {
    type Err = InvalidHour;

    fn from_str(text: &str) -> Result<Self, InvalidHour> {
        let invalid = || InvalidHour(text.chars().take(40).collect());
        let start: DateTime = format!("{text}:00:00").parse().map_err(|_| invalid())?;
        let start = TimeZone::UTC.to_timestamp(start).map_err(|_| invalid())?;
        Some(Self(start)).filter(|hour| hour.to_string() == text).ok_or_else(invalid)
    }
}

impl TryFrom<String> for UsageHour {
    type Error = InvalidHour;

    fn try_from(text: String) -> Result<Self, InvalidHour> {
        text.parse()
    }
}

impl From<UsageHour> for String {
    fn from(hour: UsageHour) -> String {
        hour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(text: &str) -> UsageHour {
        text.parse().unwrap()
    }

    #[test]
    fn an_hour_holds_no_minutes() {
        let at: Timestamp = "2026-11-30T23:59:59.999Z".parse().unwrap();
        assert_eq!(UsageHour::of(at), hour("2026-11-30T23"));
        assert_eq!(UsageHour::of(at).next(), hour("2026-12-01T00"));
        assert_eq!(hour("2026-12-01T00").previous(), hour("2026-11-30T23"));
        for text in ["", "2026-11-30", "2026-11-30T24", "2026-11-30T9", "2026-11-30T09:00", "2026-11-31T09"] {
            assert!(text.parse::<UsageHour>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_hour_of_a_month_stays_open_until_half_past_five_on_the_first() {
        let usual = hour("2026-11-10T09");
        assert_eq!(usual.open_until().to_string(), "2026-11-10T10:05:00Z");
        assert_eq!(usual.summed_from().to_string(), "2026-11-10T10:10:00Z");
        assert_eq!(usual.swept_from().to_string(), "2026-11-10T10:15:00Z");
        let last = hour("2026-12-31T23");
        assert_eq!(last.open_until().to_string(), "2027-01-01T05:30:00Z");
        assert_eq!(last.summed_from().to_string(), "2027-01-01T05:35:00Z");
        assert_eq!(last.swept_from().to_string(), "2027-01-01T05:40:00Z");
        assert_eq!(last.month().intake_closes(), last.open_until());
        assert_eq!(last.month().window_closes().to_string(), "2027-01-01T06:00:00Z");
        assert_eq!(usual.month().last_hour(), hour("2026-11-30T23"));
    }
}
