//! The timing of the ledger: the moments after an hour's end at which it is closed, summed and swept.

use jiff::{SignedDuration, Timestamp};

/// The times after the end of an hour at which its usage is processed.
///
/// | | an hour | the last hour of a month |
/// | --- | --- | --- |
/// | until `open_for`, usage is written without a read | 5 minutes | 05:30 UTC on the 1st |
/// | from `summed_after`, the reporter sums the hour and makes its records | 10 minutes | 05:35 UTC on the 1st |
/// | from `swept_after`, the hour is settled once more for late usage | 15 minutes | 05:40 UTC on the 1st |
///
/// A write that starts in time takes 30 seconds at most, so nothing is written to an open hour when it is summed. The
/// last hour of a month takes the month's late usage, which is accepted until the hour is no longer open. AWS accepts
/// the month's records until [`MONTH_WINDOW`](Self::MONTH_WINDOW) after its end, at 06:00 UTC on the 1st.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerSchedule {
    /// The time for which the hour stays open.
    pub open_for: SignedDuration,
    /// The time after which the hour is summed.
    pub summed_after: SignedDuration,
    /// The time after which the hour is swept.
    pub swept_after: SignedDuration,
}

impl LedgerSchedule {
    /// The schedule of every hour but the last one of a month.
    pub const HOUR: Self = Self {
        open_for: SignedDuration::from_mins(5),
        summed_after: SignedDuration::from_mins(10),
        swept_after: SignedDuration::from_mins(15),
    };

    /// The schedule of the last hour of a month, which ends at 00:00 UTC on the 1st.
    pub const LAST_HOUR_OF_MONTH: Self = Self {
        open_for: SignedDuration::from_mins(5 * 60 + 30),
        summed_after: SignedDuration::from_mins(5 * 60 + 35),
        swept_after: SignedDuration::from_mins(5 * 60 + 40),
    };

    /// The time after the end of a month for which AWS accepts its records (BatchMeterUsage).
    pub const MONTH_WINDOW: SignedDuration = SignedDuration::from_hours(6);

    /// Returns the moment until which an hour with this end is open.
    pub fn open_until(self, end: Timestamp) -> Timestamp {
        after(end, self.open_for)
    }

    /// Returns the moment from which an hour with this end is summed.
    pub fn summed_from(self, end: Timestamp) -> Timestamp {
        after(end, self.summed_after)
    }

    /// Returns the moment from which an hour with this end is swept.
    pub fn swept_from(self, end: Timestamp) -> Timestamp {
        after(end, self.swept_after)
    }

    /// Returns the moment from which no more usage of a month with this end is accepted.
    pub fn intake_closes(month_end: Timestamp) -> Timestamp {
        Self::LAST_HOUR_OF_MONTH.open_until(month_end)
    }

    /// Returns the moment from which AWS accepts no more records of a month with this end.
    pub fn window_closes(month_end: Timestamp) -> Timestamp {
        after(month_end, Self::MONTH_WINDOW)
    }
}

fn after(end: Timestamp, time: SignedDuration) -> Timestamp {
    end.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_closed_then_summed_then_swept() {
        let end: Timestamp = "2026-11-10T10:00:00Z".parse().unwrap();
        let times = |schedule: LedgerSchedule| {
            [schedule.open_until(end), schedule.summed_from(end), schedule.swept_from(end)].map(|at| at.to_string())
        };
        assert_eq!(
            times(LedgerSchedule::HOUR),
            ["2026-11-10T10:05:00Z", "2026-11-10T10:10:00Z", "2026-11-10T10:15:00Z"]
        );
        assert_eq!(
            times(LedgerSchedule::LAST_HOUR_OF_MONTH),
            ["2026-11-10T15:30:00Z", "2026-11-10T15:35:00Z", "2026-11-10T15:40:00Z"]
        );
    }

    #[test]
    fn the_intake_of_a_month_closes_before_the_window_of_aws() {
        let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        assert_eq!(LedgerSchedule::intake_closes(end).to_string(), "2026-12-01T05:30:00Z");
        assert_eq!(LedgerSchedule::window_closes(end).to_string(), "2026-12-01T06:00:00Z");
    }
}
