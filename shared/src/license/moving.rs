//! The move of a buyer from a customer key to a license key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::INTAKE_HAS_SEEN;
use crate::ids::{AccountId, AgreementId, LicenseArn};
use crate::time::UsageHour;

/// The move of a buyer from a customer key to a license key.
///
/// Usage before the hour is billed under the customer key, usage from then on under the license, and none under both:
/// AWS would bill that twice (BatchMeterUsage, `ProductCode`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// The license that it becomes.
    pub arn: LicenseArn,
    /// The agreement of that license.
    pub agreement: AgreementId,
    /// The buyer's account.
    pub account: AccountId,
    /// The first hour that is billed under the license.
    pub at: UsageHour,
    /// When it was done; none as long as it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

/// Under which of a moving buyer's two keys usage is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Under the customer key.
    Customer,
    /// Under the license.
    License,
    /// Under the license, unless it is known under the customer key already.
    LicenseUnlessKnown,
    /// Not now: what is written under the customer key may not all be there yet.
    NotNow,
}

impl Moving {
    /// Under which key usage of that time is taken in at a moment.
    ///
    /// What was before the hour of the move goes by the customer key as long as that takes usage. Then its hours are
    /// summed, and what comes later is billed under the license; but the same usage may have come before.
    pub fn key_of(&self, time: Timestamp, now: Timestamp) -> Key {
        if time >= self.at.start() {
            return Key::License;
        }
        match self.done_at {
            Some(done) if now.duration_since(done) >= INTAKE_HAS_SEEN => Key::LicenseUnlessKnown,
            Some(_) => Key::NotNow,
            None if now < self.at.start() || now < UsageHour::of(time).open_until() => Key::Customer,
            None => Key::NotNow,
        }
    }
}
