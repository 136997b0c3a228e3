//! Usage: one fact that the seller's application reports, and the rules by which it is accepted.
//!
//! Every function here is pure. The store has the ledger's items and their conditions.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{DimensionKey, LicenseId};
use crate::license::{INTAKE_PROPAGATION_TIME, License, State};
use crate::listing::Listing;
use crate::tags::Tags;
use crate::time::UsageHour;

/// The largest quantity that AWS accepts in one record (BatchMeterUsage).
pub const MAX_QUANTITY: Decimal = Decimal::from_parts(2_147_483_647, 0, 0, false, 0);

/// The time after it happened in which usage can still be reported.
pub const MAX_USAGE_AGE: SignedDuration = SignedDuration::from_hours(24);

/// The time after a deadline in which a write that started before it may still be under way: a request takes 30 seconds
/// at most, and the rest is margin.
const MAX_WRITE_TIME: SignedDuration = SignedDuration::from_mins(1);

/// A quantity of usage: 0 to 2147483647, at most 6 decimal places (BatchMeterUsage, `QuantityAsDecimal`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Quantity(Decimal);

/// The error of a value that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a number from 0 to 2147483647 with at most 6 decimal places")]
pub struct InvalidQuantity;

impl Quantity {
    /// The quantity zero.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Limits an amount to what one record can hold: at most [`MAX_QUANTITY`], truncated to 6 decimal places.
    pub fn capped(amount: Decimal) -> Self {
        Self(amount.clamp(Decimal::ZERO, MAX_QUANTITY).trunc_with_scale(6).normalize())
    }

    /// Returns the number.
    pub fn amount(self) -> Decimal {
        self.0
    }
}

impl TryFrom<Decimal> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(amount: Decimal) -> Result<Self, InvalidQuantity> {
        let amount = amount.normalize();
        let fits = amount >= Decimal::ZERO && amount <= MAX_QUANTITY && amount.scale() <= 6;
        if fits { Ok(Self(amount)) } else { Err(InvalidQuantity) }
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    /// Reads a plain decimal, such as `5` or `0.25`.
    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        Self::try_from(plain_decimal(text).ok_or(InvalidQuantity)?)
    }
}

/// Reads a decimal that is not negative, in the plain form of `QuantityAsDecimal`: no sign, no exponent, no spaces.
pub fn plain_decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let is_plain = is_number(whole) && is_number(fraction) && (whole.len() == 1 || !whole.starts_with('0'));
    is_plain.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

impl From<Quantity> for Decimal {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hash of an idempotency key. It is stored in place of the key, has a fixed length and contains no `#`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(String);

impl KeyHash {
    /// Hashes a key.
    pub fn of(key: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(key.as_bytes())))
    }

    /// Returns the hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

marketplace_ids::text_schema!(
    KeyHash,
    "KeyHash",
    "The SHA-256 of an idempotency key, as Base64 for URLs without padding. The key itself is not stored.",
    "^[A-Za-z0-9_-]{43}$",
    "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"
);

/// A fact reported by the seller's application.
///
/// Its key is scoped to license, hour and dimension. The same key again is the same fact, and a higher revision
/// corrects it while its hour is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// The license that used it.
    pub license: LicenseId,
    /// The dimension that was used.
    pub dimension: DimensionKey,
    /// The quantity.
    pub quantity: Quantity,
    /// The time at which it was used.
    pub time: Timestamp,
    /// The idempotency key's hash.
    pub key: KeyHash,
    /// The number of the correction, from 0.
    pub revision: u32,
    /// The tags by which the buyer's bill breaks it down.
    pub tags: Tags,
}

impl UsageEvent {
    /// Returns the hour in which the usage happened.
    pub fn hour(&self) -> UsageHour {
        UsageHour::of(self.time)
    }

    /// Returns `true` if both events bill the same.
    pub fn has_same_content(&self, other: &Self) -> bool {
        self.quantity == other.quantity && self.tags == other.tags
    }

    /// Returns a short text that differs for events that bill something else. It contains no `#`.
    pub fn content_hash(&self) -> String {
        let tags = serde_json::to_vec(&self.tags).unwrap_or_default();
        let digest = Sha256::new().chain_update(self.quantity.to_string()).chain_update(tags).finalize();
        URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default())
    }
}

/// The decision about an event: accepted as open or late, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Its hour is open: it is written without a read.
    Open,
    /// Its hour may be summed already: it is written only if the key is new, and the hour is checked again.
    Late,
    /// The event is not accepted.
    Refused(Refusal),
}

/// The reason why an event is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The license, or the listing of its product, is not known.
    LicenseUnknown,
    /// The license is ending or has ended.
    LicenseEnded,
    /// The buyer's payment failed.
    LicenseFailed,
    /// The license is a probe.
    LicenseProbe,
    /// Stallkeeper does not bill the license yet.
    NotMeteredYet,
    /// The listing has no such dimension.
    DimensionUnknown,
    /// The dimension is not billed by use.
    DimensionNotMetered,
    /// The usage is in the future.
    TimeInFuture,
    /// The usage is more than 24 hours old.
    TooOld,
    /// Its billing month is closed for it.
    MonthClosed,
    /// An ending closed its hour, and its billing month has no later hour.
    HourClosed,
}

impl Refusal {
    /// Returns `true` while an earlier attempt to report the event, made before this refusal applied, may still be on
    /// its way into the ledger.
    pub fn is_recent(self, event: &UsageEvent, license: Option<&License>, now: Timestamp) -> bool {
        let within = |since: Timestamp, fence: SignedDuration| now.duration_since(since) < fence;
        match self {
            Self::TooOld => within(event.time, MAX_USAGE_AGE + MAX_WRITE_TIME),
            Self::MonthClosed => within(event.hour().month().intake_closes(), MAX_WRITE_TIME),
            Self::LicenseEnded => {
                let sealed_at = license.and_then(|license| license.sealed_at);
                sealed_at.is_some_and(|at| within(at, INTAKE_PROPAGATION_TIME))
            }
            Self::LicenseUnknown
            | Self::LicenseFailed
            | Self::LicenseProbe
            | Self::NotMeteredYet
            | Self::HourClosed
            | Self::DimensionUnknown
            | Self::DimensionNotMetered
            | Self::TimeInFuture => false,
        }
    }

    /// Returns the stable code in the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::LicenseUnknown => "license_unknown",
            Self::LicenseEnded => "license_ended",
            Self::LicenseFailed => "license_failed",
            Self::LicenseProbe => "license_probe",
            Self::NotMeteredYet => "not_metered_yet",
            Self::DimensionUnknown => "dimension_unknown",
            Self::DimensionNotMetered => "dimension_not_metered",
            Self::TimeInFuture => "time_in_future",
            Self::TooOld => "too_old",
            Self::MonthClosed => "month_closed",
            Self::HourClosed => "hour_closed",
        }
    }
}

/// Judges an event: decides whether and how it is accepted at `now`.
///
/// The rules of time (`docs/ARCHITECTURE.md`): an hour is open until 5 minutes after its end, the last hour of a month
/// until 05:30 UTC on the 1st. Late usage is at most 24 hours old and of the same billing month. It is billed in the
/// running hour, which at the turn of a month is the last hour of the old month. Usage that a license's ending has
/// sealed counts as late too.
pub fn judge(event: &UsageEvent, license: Option<&License>, listing: Option<&Listing>, now: Timestamp) -> Intake {
    let Some((license, listing)) = license.zip(listing) else { return Intake::Refused(Refusal::LicenseUnknown) };
    if license.id.is_probe() {
        return Intake::Refused(Refusal::LicenseProbe);
    }
    let before = license.metered_from.filter(|from| event.hour() < *from);
    let has_moved = license.predecessor.as_ref().is_some_and(LicenseId::is_legacy);
    let has_returned = license.moving.as_ref().is_some_and(|moving| moving.returned.is_some());
    if before.is_some() && !has_moved && !has_returned {
        // Also for an ended license: another key or system bills the usage.
        return Intake::Refused(Refusal::NotMeteredYet);
    }
    let refusal = match license.state_at(now) {
        State::Ending { .. } | State::Ended { .. } => Some(Refusal::LicenseEnded),
        State::Failed => Some(Refusal::LicenseFailed),
        State::Pending | State::Active => match listing.dimension(&event.dimension) {
            None => Some(Refusal::DimensionUnknown),
            Some(dimension) if !dimension.is_metered() => Some(Refusal::DimensionNotMetered),
            Some(_) => None,
        },
    };
    if let Some(refusal) = refusal {
        return Intake::Refused(refusal);
    }
    let (hour, running) = (event.hour(), UsageHour::of(now));
    let sealed = license.sealed_through.is_some_and(|sealed| hour <= sealed);
    if event.time > now {
        Intake::Refused(Refusal::TimeInFuture)
    } else if before.is_some_and(|from| from.month() != hour.month())
        || (hour.month() != running.month() && now >= hour.month().intake_closes())
    {
        Intake::Refused(Refusal::MonthClosed)
    } else if now.duration_since(event.time) > MAX_USAGE_AGE {
        Intake::Refused(Refusal::TooOld)
    } else if !sealed && now < hour.open_until() {
        Intake::Open
    } else if carry_target(license, hour, now).is_none() {
        Intake::Refused(if sealed { Refusal::HourClosed } else { Refusal::MonthClosed })
    } else {
        Intake::Late
    }
}

/// Returns the hour that bills what an earlier hour of the license can no longer hold: the running hour, or the first
/// hour after those that an ending has sealed; `None` if the billing month has no such hour left.
pub fn carry_target(license: &License, origin: UsageHour, now: Timestamp) -> Option<UsageHour> {
    let running = UsageHour::of(now).min(origin.month().last_hour());
    let free = license.sealed_through.map_or(running, |sealed| running.max(sealed.next()));
    (free.month() == origin.month() && license.bills(free)).then_some(free)
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
