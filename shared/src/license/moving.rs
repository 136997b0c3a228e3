//! The move of a buyer from a customer key to a license key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::License;
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
    /// When it was cancelled, because the buyer left before the hour or the license ended; none otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
}

/// The key of a moving buyer under which usage is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The customer key.
    Customer,
    /// The license.
    License,
    /// The license, unless the usage is known under the customer key already.
    LicenseUnlessKnown,
    /// None for now: a write under the customer key may still be on its way.
    NotNow,
}

impl Moving {
    /// Returns `true` while the move is still to be made.
    pub fn is_planned(&self) -> bool {
        self.done_at.is_none() && self.cancelled_at.is_none()
    }

    /// The moment from which the move is made: no write of usage under the customer key is on its way any more.
    pub fn due_at(&self) -> Timestamp {
        self.at.previous().summed_from()
    }

    /// Returns the key for usage of `time` that arrives at `now`.
    ///
    /// The clock alone decides, so that every instance that knows the plan decides the same, whether the move is made or
    /// has to wait for AWS. Usage from before the hour of the move goes by the customer key until its own hour closes.
    /// Once every such write has arrived, what comes later is billed under the license, unless it came before.
    pub fn key_of(&self, time: Timestamp, now: Timestamp) -> Key {
        if time >= self.at.start() {
            Key::License
        } else if now < self.at.start() || now < UsageHour::of(time).open_until() {
            Key::Customer
        } else if now < self.due_at() {
            Key::NotNow
        } else {
            Key::LicenseUnlessKnown
        }
    }
}

impl License {
    /// Returns `true` if an hour is billed under this key, and not under the license that its buyer moves to.
    pub fn bills(&self, hour: UsageHour) -> bool {
        self.moving.as_ref().is_none_or(|moving| moving.cancelled_at.is_some() || hour < moving.at)
    }

    /// Cancels a planned move of a buyer who left before its hour.
    pub(super) fn cancel_move_of_one_who_left(&mut self, now: Timestamp) {
        let usage_until = self.usage_until();
        if let Some(moving) = self.moving.as_mut().filter(|moving| moving.is_planned())
            && usage_until.is_some_and(|until| until < moving.at.start())
        {
            moving.cancelled_at = Some(now);
        }
    }
}
