//! The move of a buyer from a customer key to a license key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::INTAKE_PROPAGATION_TIME;
use crate::ids::{AccountId, AgreementId, LicenseArn};
use crate::time::UsageHour;

/// The move of a buyer from a customer key to a license key.
///
/// Usage before the hour of the move is billed under the customer key, usage from then on under the license, and no
/// usage under both: AWS would bill it twice (BatchMeterUsage, `ProductCode`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// The ARN of the license that the buyer moves to.
    pub arn: LicenseArn,
    /// The agreement of that license.
    pub agreement: AgreementId,
    /// The buyer's account.
    pub account: AccountId,
    /// The first hour that is billed under the license.
    pub at: UsageHour,
    /// The time at which the agreement ended, from AWS's answers and agreement events, if it is known before the move
    /// is made. The customer key has ended too then. A time that AWS shows is later than the end; the event corrects
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_ended_at: Option<Timestamp>,
    /// The time at which the move was made; `None` until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// The time at which the move was cancelled before it was made, because the buyer left or the license ended; `None`
    /// otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// The return of a buyer who has left by the license and subscribed again by the customer key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Return>,
}

/// The return to the customer key of a buyer who had moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// The time at which the buyer subscribed again. Usage from then on belongs to the customer key.
    pub at: Timestamp,
    /// The time at which the return was noted. Until then usage was accepted under the license.
    pub noted_at: Timestamp,
    /// The first hour that is billed under the customer key again, so that none is billed under both.
    pub metered_from: UsageHour,
}

/// The key of a moving buyer under which usage is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The customer key.
    Customer,
    /// The customer key, unless the usage is known under the license already, from before the move was cancelled or the
    /// buyer's return was noted.
    CustomerUnlessKnown,
    /// The license.
    License,
    /// The license, unless the usage is known under the customer key already.
    LicenseUnlessKnown,
    /// No key for now: a write under the other key may still be under way.
    Wait,
}

impl Moving {
    /// Returns `true` while the move is still to be made.
    pub fn is_planned(&self) -> bool {
        self.done_at.is_none() && self.cancelled_at.is_none()
    }

    /// Returns the moment from which the move is made. No write of usage under the customer key is under way any more
    /// then.
    pub fn due_at(&self) -> Timestamp {
        self.at.previous().summed_from()
    }

    /// Returns `true` if the license serves the buyer, and the customer key does not.
    pub fn is_in_effect(&self) -> bool {
        self.done_at.is_some() && self.returned.is_none()
    }

    /// Returns the key for usage of `time` that arrives at `now`.
    ///
    /// The clock alone decides, so that every instance that knows the plan decides the same, whether the move is made
    /// or waits for AWS. Usage from before the hour of the move belongs to the customer key until its own hour closes.
    /// Once every such write has arrived, later usage is billed under the license, unless it arrived before.
    ///
    /// A cancelled move and a return are not planned. While an instance that does not know of them may still accept
    /// usage under the license, such usage has to wait.
    pub fn key_of(&self, time: Timestamp, now: Timestamp) -> Key {
        let back_since = |noted: Timestamp| match noted + INTAKE_PROPAGATION_TIME {
            propagated if now < propagated => Key::Wait,
            propagated if time < propagated => Key::CustomerUnlessKnown,
            _ => Key::Customer,
        };
        if let Some(cancelled) = self.cancelled_at {
            if now < self.at.start() { Key::Customer } else { back_since(cancelled) }
        } else if let Some(back) = self.returned.as_ref().filter(|back| back.at <= time) {
            back_since(back.noted_at)
        } else if time >= self.at.start() {
            Key::License
        } else if now < self.at.start() || now < UsageHour::of(time).open_until() {
            Key::Customer
        } else if now < self.due_at() {
            Key::Wait
        } else {
            Key::LicenseUnlessKnown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-10T{time}Z").parse().unwrap()
    }

    fn moving() -> Moving {
        Moving {
            arn: "arn:aws:license-manager::294406891311:license:l-new".parse().unwrap(),
            agreement: "agmt-1".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            at: UsageHour::of(at("10:00:00")),
            agreement_ended_at: None,
            done_at: None,
            cancelled_at: None,
            returned: None,
        }
    }

    #[test]
    fn usage_waits_until_every_instance_knows_of_a_cancelled_move() {
        let before = Moving { cancelled_at: Some(at("09:40:00")), ..moving() };
        assert_eq!(before.key_of(at("09:39:00"), at("09:41:00")), Key::Customer, "nothing went by the license yet");
        assert_eq!(before.key_of(at("10:05:00"), at("10:06:00")), Key::Customer);
        let after = Moving { cancelled_at: Some(at("10:11:00")), ..moving() };
        assert_eq!(after.key_of(at("10:09:00"), at("10:12:00")), Key::Wait);
        assert_eq!(after.key_of(at("10:09:00"), at("10:14:00")), Key::CustomerUnlessKnown);
        assert_eq!(after.key_of(at("10:14:00"), at("10:15:00")), Key::Customer);
    }

    #[test]
    fn usage_waits_until_every_instance_knows_of_a_return() {
        let metered_from = UsageHour::of(at("13:00:00"));
        let returned = Some(Return { at: at("12:12:00"), noted_at: at("12:20:00"), metered_from });
        let moving = Moving { done_at: Some(at("10:11:00")), returned, ..moving() };
        assert_eq!(moving.key_of(at("12:11:59"), at("12:21:00")), Key::License, "from before they subscribed again");
        assert_eq!(moving.key_of(at("12:15:00"), at("12:21:00")), Key::Wait);
        assert_eq!(moving.key_of(at("12:15:00"), at("12:23:00")), Key::CustomerUnlessKnown);
        assert_eq!(moving.key_of(at("12:23:00"), at("12:24:00")), Key::Customer);
    }
}
