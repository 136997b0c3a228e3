//! Overage: usage beyond what a contract with consumption includes is billed.
//!
//! The application reports all usage of a dimension that is declared as the overage of an entitled one. What the
//! contract includes in a period is not billed; the rest is billed as it arises.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids::{AgreementId, DimensionKey, LicenseId};
use crate::usage::Quantity;

/// The consumption of a license in one dimension and one period. The period is that of an agreement: an amendment stays
/// in it, a renewal starts another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overage {
    /// The license.
    pub license: LicenseId,
    /// The metered dimension.
    pub dimension: DimensionKey,
    /// The agreement that defines the period.
    pub period: AgreementId,
    /// The amount that was used in the period.
    pub consumed: Decimal,
    /// The amount of it that records bill.
    pub billed: Decimal,
    /// The amount that the contract includes, as last known.
    pub included: Decimal,
    /// The number of writes; a write holds only if it is the next one.
    pub version: u64,
}

/// The effect of an hour on an overage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumed {
    /// The quantity that is billed for it.
    pub quantity: Quantity,
    /// The amount of the hour's usage that this stands for: all of it, unless one record cannot hold what is billed.
    pub counted: Decimal,
}

impl Overage {
    /// Creates a period without usage.
    pub fn new(license: LicenseId, dimension: DimensionKey, period: AgreementId) -> Self {
        Self {
            license,
            dimension,
            period,
            consumed: Decimal::ZERO,
            billed: Decimal::ZERO,
            included: Decimal::ZERO,
            version: 0,
        }
    }

    /// Adds an hour's usage, with the amount that the contract includes at this moment.
    ///
    /// The usage that exceeds this amount and was not billed before is billed. If an amendment raises the amount,
    /// nothing that was billed is taken back, and nothing more is billed until the exceeding usage is more than what
    /// was billed.
    pub fn consume(&mut self, used: Decimal, included: Decimal) -> Consumed {
        let exceeding = (self.consumed + used - included).max(Decimal::ZERO);
        let due = (exceeding - self.billed).max(Decimal::ZERO);
        let quantity = Quantity::capped(due);
        let counted = used - (due - quantity.amount());
        self.consumed += counted;
        self.billed += quantity.amount();
        self.included = included;
        Consumed { quantity, counted }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::usage::MAX_QUANTITY;

    fn overage() -> Overage {
        Overage::new("l-1".parse().unwrap(), "requests".parse().unwrap(), "agmt-1".parse().unwrap())
    }

    #[test]
    fn only_what_exceeds_the_contract_is_billed() {
        let mut overage = overage();
        // (used, included, billed for it)
        for (used, included, billed) in [
            (60, 100, 0),
            (60, 100, 20),
            (5, 100, 5),
            // An amendment includes more: what was billed stays billed, and the next 200 are free.
            (100, 300, 0),
            (100, 300, 0),
            (10, 300, 10),
            // An amendment includes less: what exceeds it now is billed with the next hour.
            (0, 250, 50),
        ] {
            let consumed = overage.consume(Decimal::from(used), Decimal::from(included));
            assert_eq!(consumed.quantity.amount(), Decimal::from(billed), "{used} of {included}");
            assert_eq!(consumed.counted, Decimal::from(used));
        }
    }

    #[test]
    fn what_a_record_cannot_hold_is_left_for_another() {
        let mut overage = overage();
        let consumed = overage.consume(MAX_QUANTITY + Decimal::from(30), Decimal::from(10));
        assert_eq!((consumed.quantity.amount(), consumed.counted), (MAX_QUANTITY, MAX_QUANTITY + Decimal::from(10)));
        let rest = overage.consume(Decimal::from(20), Decimal::from(10));
        assert_eq!(rest.quantity.amount(), Decimal::from(20));
    }

    proptest! {
        #[test]
        fn what_is_billed_in_the_end_is_what_exceeds(hours in prop::collection::vec(0u32..1000, 1..30), included in 0u32..5000) {
            let mut overage = overage();
            let included = Decimal::from(included);
            let billed: Decimal =
                hours.iter().map(|used| overage.consume(Decimal::from(*used), included).quantity.amount()).sum();
            let used: Decimal = hours.iter().map(|used| Decimal::from(*used)).sum();
            prop_assert_eq!(billed, (used - included).max(Decimal::ZERO));
            prop_assert_eq!(billed, overage.billed);
        }
    }
}
