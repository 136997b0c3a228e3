//! The ledger of usage: its keys and its entries.

use jiff::Timestamp;
use marketplace_ids::{DimensionKey, LicenseId, ProductCode};
use rust_decimal::Decimal;

use crate::region::Region;

/// The buyer of a usage, as a request names them. A buyer that is named in two ways is billed in each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Buyer {
    License {
        license: LicenseId,
        /// `true` if the request names the product too.
        with_product_code: bool,
    },
    Customer {
        product: ProductCode,
        /// The customer as the request names it; it need not exist.
        customer: String,
    },
    Account {
        product: ProductCode,
        /// The account as the request names it; it need not exist.
        account: String,
    },
}

/// The usage of one buyer and one dimension in one hour.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub buyer: Buyer,
    pub dimension: DimensionKey,
    pub at: Timestamp,
    pub quantity: Decimal,
    pub allocations: Vec<Allocation>,
}

/// A part of a usage, by tags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Allocation {
    pub quantity: Decimal,
    pub tags: Vec<(String, String)>,
}

/// The key under which usage is booked once. The regions are independent: usage that is sent to two is booked in each
/// (AWS's metering skill, aws/agent-toolkit-for-aws: records are deduplicated per region).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LedgerKey {
    pub region: Region,
    pub buyer: Buyer,
    pub dimension: DimensionKey,
    /// The start of the hour, in UTC.
    pub hour: Timestamp,
}

/// A booked record.
#[derive(Debug)]
pub(super) struct Entry {
    pub id: String,
    /// The license to which it is billed.
    pub license: LicenseId,
    pub quantity: Decimal,
    pub allocations: Vec<Allocation>,
}
