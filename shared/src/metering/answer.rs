//! How an answer of AWS is read, by the attempts before it.

use jiff::{SignedDuration, Timestamp};

use super::{AcceptedBy, HourlyRecord, RecordName, RecordState};

/// What AWS answered to a call, in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// For each record by its name; one that is not named was not answered.
    Records(Vec<(RecordName, Status)>),
    /// Nothing was booked, and the same call may go through later: too many requests, for one.
    NotBooked(String),
    /// Nothing was booked, for a reason that is not known. It may pass; if it does not, it is looked for by halving.
    NotKnown(String),
    /// The call as a whole was refused: nothing was booked.
    Rejected(Rejection),
    /// No answer that proves anything: AWS may have booked all of it.
    Nothing,
}

/// What AWS says of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Booked.
    Success {
        /// AWS's id of the booking.
        metering_record_id: Option<String>,
    },
    /// There is one for this name already, and it stays.
    Duplicate,
    /// The buyer has no agreement in force. Nothing was booked.
    NotSubscribed,
    /// Not processed this time. Nothing was booked.
    Unprocessed,
}

/// Why AWS refused a call as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing of this product gets through until an operator mends it.
    Configuration(String),
    /// A dimension that AWS does not have.
    Dimension(String),
    /// Something in one of the records.
    Data(String),
    /// The time of one of the records.
    Timestamp,
}

impl Rejection {
    /// AWS's word for it.
    pub fn code(&self) -> &str {
        match self {
            Self::Configuration(code) | Self::Dimension(code) | Self::Data(code) => code,
            Self::Timestamp => "TimestampOutOfBoundsException",
        }
    }
}

/// What an answer means for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is decided.
    Final(RecordState),
    /// The same record goes again later.
    Again {
        /// Whether this attempt may have been booked.
        unanswered: bool,
    },
}

/// Reads what AWS says of one record. `open` is whether AWS may still take usage of its license: it is active, or its
/// 60 minutes run.
///
/// A duplicate after an unanswered attempt was ours; on an attempt without one it is somebody else's. Whatever ends a
/// record after an unanswered attempt leaves it unconfirmed, since AWS may have booked it.
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
        Status::NotSubscribed if open => Outcome::Again { unanswered: false },
        Status::NotSubscribed => Outcome::Final(ended(record, "CustomerNotSubscribed")),
        Status::Unprocessed => Outcome::Again { unanswered: false },
    }
}

/// The state of a record that AWS will not take, for that reason.
pub fn ended(record: &HourlyRecord, reason: &str) -> RecordState {
    if record.unanswered {
        RecordState::Unconfirmed { reason: reason.to_owned() }
    } else {
        RecordState::Refused { reason: reason.to_owned() }
    }
}

/// The state of a record whose window has closed.
pub fn expired(record: &HourlyRecord) -> RecordState {
    if record.unanswered {
        RecordState::Unconfirmed { reason: "window_closed".to_owned() }
    } else {
        RecordState::Expired
    }
}

/// When a record that was not decided goes again: soon at first, every 15 minutes in the end, and every half minute in
/// the last minutes before AWS refuses it.
pub fn next_attempt(record: &HourlyRecord, now: Timestamp) -> Timestamp {
    let minutes = i64::from(record.attempts).clamp(1, 15);
    let wait = if record.is_urgent(now) { minutes.min(3) } else { minutes };
    let wanted = now.checked_add(SignedDuration::from_mins(wait)).unwrap_or(Timestamp::MAX);
    record.tried_again_at(wanted, now)
}
