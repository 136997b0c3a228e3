//! The interpretation of an answer of AWS, which depends on the attempts before it.

use jiff::{SignedDuration, Timestamp};

use super::{AcceptedBy, HourlyRecord, RecordName, RecordState};

/// An answer of AWS to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The status of each record, by its name. A record that is not named was not answered.
    Records(Vec<(RecordName, Status)>),
    /// Nothing was booked, and the same call may succeed later, for example after too many requests.
    NotBooked(String),
    /// Nothing was booked, for an unknown reason. It may pass; if it does not, the call is halved to find the record.
    NotKnown(String),
    /// The call as a whole was refused: nothing was booked.
    Rejected(Rejection),
    /// No answer that proves anything: AWS may have booked all of it.
    Nothing,
}

/// The status of one record in AWS's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Booked.
    Success {
        /// AWS's id of the booking.
        metering_record_id: Option<String>,
    },
    /// AWS has a record of this name already, and keeps it.
    Duplicate,
    /// The buyer has no agreement in force. Nothing was booked.
    NotSubscribed,
    /// Not processed this time. Nothing was booked.
    Unprocessed,
}

/// The reason why AWS refused a call as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// AWS accepts no record of this product until an operator fixes the configuration.
    Configuration(String),
    /// A dimension that AWS does not have.
    Dimension(String),
    /// The data of one of the records.
    Data(String),
    /// The time of one of the records.
    Timestamp,
}

impl Rejection {
    /// Returns the error code of AWS.
    pub fn code(&self) -> &str {
        match self {
            Self::Configuration(code) | Self::Dimension(code) | Self::Data(code) => code,
            Self::Timestamp => "TimestampOutOfBoundsException",
        }
    }
}

/// The meaning of an answer for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The record is decided.
    Final(RecordState),
    /// The same record is sent again later.
    Retry {
        /// `true` if AWS may have booked this attempt.
        unanswered: bool,
    },
}

/// Reads the status of one record. `open` is `true` if AWS may still accept usage of its license: the license is
/// active, or its 60 minutes have not passed.
///
/// A duplicate after an unanswered attempt is the booking of that attempt; without one it is the booking of another
/// program. A record that ends without an acceptance after an unanswered attempt is left unconfirmed, since AWS may
/// have booked it.
pub fn read_status(record: &HourlyRecord, status: &Status, open: bool) -> Outcome {
    match status {
        Status::Success { metering_record_id } => Outcome::Final(RecordState::Accepted {
            metering_record_id: metering_record_id.clone(),
            by: AcceptedBy::Success,
        }),
        Status::Duplicate if record.unanswered => {
            Outcome::Final(RecordState::Accepted { metering_record_id: None, by: AcceptedBy::Duplicate })
        }
        Status::Duplicate => Outcome::Final(RecordState::Conflict),
        Status::NotSubscribed if open => Outcome::Retry { unanswered: false },
        Status::NotSubscribed => Outcome::Final(ended(record, "CustomerNotSubscribed")),
        Status::Unprocessed => Outcome::Retry { unanswered: false },
    }
}

/// Returns the state of a record that AWS will not accept, for the given reason.
pub fn ended(record: &HourlyRecord, reason: &str) -> RecordState {
    if record.unanswered {
        RecordState::Unconfirmed { reason: reason.to_owned() }
    } else {
        RecordState::Refused { reason: reason.to_owned() }
    }
}

/// Returns the state of a record whose window has closed.
pub fn expired(record: &HourlyRecord) -> RecordState {
    if record.unanswered {
        RecordState::Unconfirmed { reason: "window_closed".to_owned() }
    } else {
        RecordState::Expired
    }
}

/// Returns the time of the next attempt at an undecided record: soon at first, every 15 minutes in the end, or every 3
/// minutes for an urgent one, and every half minute in the last minutes before AWS refuses it.
pub fn next_attempt(record: &HourlyRecord, now: Timestamp) -> Timestamp {
    let minutes = i64::from(record.attempts).clamp(1, 15);
    let wait = if record.is_urgent(now) { minutes.min(3) } else { minutes };
    let wanted = now.checked_add(SignedDuration::from_mins(wait)).unwrap_or(Timestamp::MAX);
    record.retry_at(wanted, now)
}
