//! Hourly records: what is sent to AWS, how it is packed, and how AWS's answer is interpreted.
//!
//! The hour and quantity of a record never change once it is frozen, so every attempt to send it is the same request.
//! The meaning of an answer depends on the attempts before it, which are written before they are made; see
//! `docs/METERING.md`.

mod answer;
mod pack;

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::allocation::{Allocated, Allocation, allocate};
use crate::ids::{AccountId, CustomerIdentifier, DimensionKey, LicenseArn, LicenseId, ProductCode};
use crate::ledger::HourSum;
use crate::license::License;
use crate::time::UsageHour;
use crate::usage::Quantity;

pub use answer::{Answer, Outcome, Rejection, Status, ended, expired, next_attempt, read_status};
pub use pack::Packer;

/// The most records in one call (BatchMeterUsage).
pub const MAX_BATCH_RECORDS: usize = 25;

/// The size in bytes that one call stays below (BatchMeterUsage: less than 1 MB).
pub const MAX_CALL_BYTES: usize = 1_000_000;

/// The time after its timestamp in which AWS accepts a record (BatchMeterUsage, since 2026-07-01).
pub const ACCEPTANCE_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The time before its window closes from which a record is sent before others.
const URGENT_BEFORE_CLOSE: SignedDuration = SignedDuration::from_hours(2);

/// The time before the end of its last chance from which a record is sent again at [`FINAL_RETRY_INTERVAL`].
pub const FINAL_RETRY_PERIOD: SignedDuration = SignedDuration::from_mins(10);

/// The time from one attempt at a record to the next, while its last chance ends.
pub const FINAL_RETRY_INTERVAL: SignedDuration = SignedDuration::from_secs(30);

/// Returns the moment from which AWS accepts no more usage of an hour.
pub fn window_closes_of(hour: UsageHour) -> Timestamp {
    (hour.start() + ACCEPTANCE_WINDOW).min(hour.month().window_closes())
}

/// The time for which a claim belongs to its run alone. A call takes 20 seconds at most.
pub const CLAIM_DURATION: SignedDuration = SignedDuration::from_secs(60);

/// The sum of one license's usage in one dimension and one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourlyRecord {
    /// The name of the record.
    #[serde(flatten)]
    pub name: RecordName,
    /// Its product: one call is for one product.
    pub product: ProductCode,
    /// The buyer that AWS bills; `None` if AWS has not named the buyer in a form that it accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Buyer>,
    /// The time that is sent to AWS: the start of the hour, or of the license if that is later.
    pub timestamp: Timestamp,
    /// The billed quantity. It never changes.
    pub quantity: Quantity,
    /// The billed quantity, broken down by tags; empty if nothing is tagged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocations: Vec<Allocation>,
    /// The number of tagged amounts that are folded into the allocation without tags. It is known only when the record
    /// is frozen.
    #[serde(skip)]
    pub folded_allocations: usize,
    /// The amount of the hour's usage that the record stands for, if it is not the quantity: of an overage, the
    /// included quantity of the contract is not billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Decimal>,
    /// The amount that the hour turned out to hold beyond that, and that a later hour bills.
    #[serde(default)]
    pub carried: Decimal,
    /// The state of the record.
    pub state: RecordState,
    /// The number of attempts to send it.
    #[serde(default)]
    pub attempts: u32,
    /// `true` if AWS may have booked an attempt whose answer is not known.
    #[serde(default)]
    pub unanswered: bool,
    /// `true` if its license is ending. It is sent first then.
    #[serde(default)]
    pub urgent: bool,
    /// The end of the final hour of its license, if the license is ending. AWS may refuse the record after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_until: Option<Timestamp>,
    /// The time from which it is to be sent again.
    pub not_before: Timestamp,
    /// The time at which it entered its state.
    pub since: Timestamp,
}

/// The name of a record. AWS keeps the first write for each name. Written `license@hour@dimension`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordName {
    /// The license.
    pub license: LicenseId,
    /// The hour.
    pub hour: UsageHour,
    /// The dimension.
    pub dimension: DimensionKey,
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}@{}", self.license, self.hour, self.dimension)
    }
}

marketplace_ids::text_schema!(
    RecordName,
    "RecordName",
    "The name of a record: license, hour and dimension, joined by `@`.",
    "^(l-[A-Za-z0-9]{1,64}|[A-Za-z0-9._-]{1,100}~[A-Za-z0-9_-]{1,255})@[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])@[A-Za-z0-9._-]{1,100}$",
    "l-0123456789abcdef0123456789abcdef@2026-11-10T09@requests"
);

/// A text that names no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record is named like l-0123@2026-11-10T09@requests: license, hour and dimension")]
pub struct InvalidRecordName;

impl FromStr for RecordName {
    type Err = InvalidRecordName;

    fn from_str(text: &str) -> Result<Self, InvalidRecordName> {
        let mut parts = text.split('@');
        let (Some(license), Some(hour), Some(dimension), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRecordName);
        };
        match (license.parse(), hour.parse(), dimension.parse()) {
            (Ok(license), Ok(hour), Ok(dimension)) => Ok(Self { license, hour, dimension }),
            _ => Err(InvalidRecordName),
        }
    }
}

/// The buyer that AWS bills, in the one style of the product. Both styles for one buyer in one hour would bill twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buyer {
    /// By license, without the product code.
    License {
        /// The ARN, in the form that AWS accepts.
        arn: LicenseArn,
        /// The account.
        account: AccountId,
    },
    /// By product code and customer identifier.
    Customer {
        /// The buyer's key.
        customer: CustomerIdentifier,
    },
}

impl Buyer {
    /// Returns the buyer of a license; `None` if not enough is known of it for AWS.
    pub fn of(license: &License) -> Option<Self> {
        match (&license.customer, &license.arn, &license.account) {
            (Some(customer), _, _) => Some(Self::Customer { customer: customer.clone() }),
            (None, Some(arn), Some(account)) if arn.is_sendable() => {
                Some(Self::License { arn: arn.clone(), account: account.clone() })
            }
            (None, _, _) => None,
        }
    }

    /// Returns `true` if two buyers can be in one call of a product.
    fn is_of_style(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::License { .. }, Self::License { .. }) | (Self::Customer { .. }, Self::Customer { .. })
        )
    }
}

/// The state of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum RecordState {
    /// The record cannot be sent yet.
    #[schema(title = "HeldRecord")]
    Held {
        /// The reason.
        reason: HoldReason,
    },
    /// The record is about to be sent.
    #[schema(title = "SealedRecord")]
    Sealed,
    // Another run takes it over after [`CLAIM_DURATION`].
    /// A run of the reporter is sending it.
    #[schema(title = "ClaimedRecord")]
    Claimed {
        /// The run.
        run: String,
        /// The time at which the run claimed it.
        at: Timestamp,
    },
    /// AWS has booked it.
    #[schema(title = "AcceptedRecord")]
    Accepted {
        /// AWS's id of the booking. Absent where AWS named none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String)]
        metering_record_id: Option<String>,
        /// The answer of AWS that shows the booking.
        by: AcceptedBy,
    },
    /// AWS has another quantity, which this stack did not send. An operator must look into it.
    #[schema(title = "ConflictingRecord")]
    Conflict,
    /// AWS refuses it.
    #[schema(title = "RefusedRecord")]
    Refused {
        /// AWS's reason.
        reason: String,
    },
    /// AWS's window closed before AWS accepted it.
    #[schema(title = "ExpiredRecord")]
    Expired,
    /// AWS may have booked it. An operator must look into it.
    #[schema(title = "UnconfirmedRecord")]
    Unconfirmed {
        /// The reason why it is not sent again.
        reason: String,
    },
    /// The record is not sent: another hour bills its usage.
    #[schema(title = "FoldedRecord")]
    Folded {
        /// The other hour.
        into: UsageHour,
    },
    /// The record was not sent: the stack was in dry run.
    #[schema(title = "DryRunRecord")]
    DryRun,
}

impl RecordState {
    /// Returns `true` if the record does not change by itself any more.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Held { .. } | Self::Sealed | Self::Claimed { .. } => false,
            Self::Accepted { .. }
            | Self::Conflict
            | Self::Refused { .. }
            | Self::Expired
            | Self::Unconfirmed { .. }
            | Self::Folded { .. }
            | Self::DryRun => true,
        }
    }

    /// Returns the name in the table and in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Sealed => "sealed",
            Self::Claimed { .. } => "claimed",
            Self::Accepted { .. } => "accepted",
            Self::Conflict => "conflict",
            Self::Refused { .. } => "refused",
            Self::Expired => "expired",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Folded { .. } => "folded",
            Self::DryRun => "dry_run",
        }
    }
}

/// The reason why a record cannot be sent. `buyer_unknown`: AWS has not named the license's buyer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The license's ARN is not known in the form that AWS accepts.
    BuyerUnknown,
}

/// The answer by which a record counts as booked. `success`: AWS accepted it. `duplicate`: AWS had it already, after an
/// attempt whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedBy {
    /// AWS answered Success.
    Success,
    /// AWS had it already, after an attempt whose answer was lost.
    Duplicate,
}

impl HourlyRecord {
    /// Freezes a sum. The quantity does not change afterwards.
    pub fn freeze(license: &License, hour: UsageHour, dimension: DimensionKey, sum: &HourSum, now: Timestamp) -> Self {
        let buyer = Buyer::of(license);
        let held = RecordState::Held { reason: HoldReason::BuyerUnknown };
        // An amendment renews the activation, so the first activation counts too, if it is in the hour.
        let activations = license.first_active().into_iter().chain(license.active_since());
        let begun = activations.filter(|begun| UsageHour::of(*begun) == hour).min();
        let mut record = Self {
            name: RecordName { license: license.id.clone(), hour, dimension },
            product: license.product.clone(),
            state: if buyer.is_some() { RecordState::Sealed } else { held },
            buyer,
            timestamp: begun.unwrap_or(hour.start()),
            quantity: Quantity::ZERO,
            allocations: Vec::new(),
            folded_allocations: 0,
            counted: None,
            carried: Decimal::ZERO,
            attempts: 0,
            unanswered: false,
            urgent: license.usage_until().is_some(),
            final_until: license.final_hour_ends(),
            not_before: now,
            since: now,
        };
        record.bill(sum, Quantity::capped(sum.amount));
        record
    }

    /// Sets the billed quantity for an hour's sum, before the record is frozen.
    pub fn bill(&mut self, sum: &HourSum, quantity: Quantity) {
        let Allocated { parts, folded } = allocate(&sum.tagged, quantity);
        self.quantity = quantity;
        self.allocations = parts;
        self.folded_allocations = folded;
    }

    /// Returns the approximate size in bytes as an item of the table.
    pub fn size(&self) -> usize {
        1000 + self.allocations.iter().map(Allocation::size).sum::<usize>()
    }

    /// Returns the amount of its hour's usage that is in the record or carried to another hour.
    pub fn accounted_amount(&self) -> Decimal {
        self.counted.unwrap_or(self.quantity.amount()) + self.carried
    }

    /// Returns what an hour's sum holds beyond the record, with the tags of what the record does not have. If something
    /// was carried before, or the record bills an overage, the tags are no longer known.
    #[must_use]
    pub fn usage_beyond(&self, sum: &HourSum, difference: Decimal) -> HourSum {
        let mut beyond = HourSum { amount: difference, ..HourSum::default() };
        if !self.carried.is_zero() || self.counted.is_some() {
            return beyond;
        }
        let mut left = difference;
        for (tags, amount) in &sum.tagged {
            let in_record = self.allocations.iter().find(|part| part.tags == *tags);
            let more =
                (*amount - in_record.map_or(Decimal::ZERO, |part| part.quantity.amount())).clamp(Decimal::ZERO, left);
            if !more.is_zero() {
                left -= more;
                beyond.tag(more, tags);
            }
        }
        beyond
    }

    /// Returns `true` if it is sent before others: its license is ending, or its window is about to close.
    pub fn is_urgent(&self, now: Timestamp) -> bool {
        self.urgent || self.window_closes().duration_since(now) < URGENT_BEFORE_CLOSE
    }

    /// Returns the record with another state, which it enters at `now`.
    #[must_use]
    pub fn with_state_at(&self, state: RecordState, now: Timestamp) -> Self {
        Self { state, since: now, ..self.clone() }
    }

    /// Returns the last moment at which AWS accepts it: 24 hours after its timestamp, or 06:00 UTC on the 1st after its
    /// month, whichever is earlier.
    pub fn window_closes(&self) -> Timestamp {
        let day = self.timestamp.checked_add(ACCEPTANCE_WINDOW).unwrap_or(Timestamp::MAX);
        day.min(self.name.hour.month().window_closes())
    }

    /// Returns the next moment after which AWS may refuse it: the end of its license's final hour, or the end of its
    /// window. After the final hour, AWS accepts it only if the license is in force again, and only the window counts.
    pub fn final_deadline(&self, now: Timestamp) -> Timestamp {
        let final_until = self.final_until.filter(|until| *until > now);
        final_until.map_or(self.window_closes(), |until| until.min(self.window_closes()))
    }

    /// Returns `true` if AWS may still accept it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.window_closes() && self.final_until.is_none_or(|until| now < until)
    }

    /// Returns the time of the next attempt, which is `wanted` or earlier: every half minute in the last ten minutes of
    /// its last chance.
    pub fn retry_at(&self, wanted: Timestamp, now: Timestamp) -> Timestamp {
        let last = self.final_deadline(now);
        let closing = last
            .checked_sub(FINAL_RETRY_PERIOD)
            .unwrap_or(last)
            .max(now.checked_add(FINAL_RETRY_INTERVAL).unwrap_or(now));
        if now < last { wanted.min(closing) } else { wanted }
    }

    /// Returns the approximate size in bytes in a request.
    fn wire_size(&self) -> usize {
        let buyer = match &self.buyer {
            Some(Buyer::License { arn, account }) => arn.as_str().len() + account.as_str().len(),
            Some(Buyer::Customer { customer }) => customer.as_str().len(),
            None => 0,
        };
        let allocations: usize = self.allocations.iter().map(Allocation::size).sum();
        200 + buyer + self.name.dimension.as_str().len() + 2 * allocations
    }
}

#[cfg(test)]
#[path = "metering_tests.rs"]
mod tests;
