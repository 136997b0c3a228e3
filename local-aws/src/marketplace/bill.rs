//! The bill: the metered charges of AWS Marketplace to buyers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use marketplace_ids::{AccountId, DimensionKey, LicenseId, ProductCode};
use rust_decimal::Decimal;
use serde::Serialize;

use super::Marketplace;
use super::ledger::{Allocation, Buyer};
use crate::region::Region;

/// All booked records, and their sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// The booked records, oldest hour first.
    pub records: Vec<BilledRecord>,
    /// The sums for each license, dimension and billing month. They include records of every style and region, so usage
    /// that was sent in two styles or to two regions counts twice, as on the buyer's bill.
    pub totals: Vec<BillTotal>,
}

/// A booked record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BilledRecord {
    /// The license's key: the `l-…` of its ARN, or `<product code>~<customer>` for a legacy buyer.
    pub license: LicenseId,
    /// The buyer.
    pub account: AccountId,
    /// The product.
    pub product: ProductCode,
    /// The dimension that was used.
    pub dimension: DimensionKey,
    /// The start of the hour, in UTC.
    pub hour: Timestamp,
    /// The quantity; in JSON a text, so that no decimal digit is lost.
    pub quantity: Decimal,
    /// The region to which it was sent. AWS keeps the regions apart: usage that is sent to two regions is billed twice.
    pub region: Region,
    /// The form in which the request named the buyer.
    pub style: BillingStyle,
    /// The parts by tags, if the record has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allocations: Vec<BilledAllocation>,
    /// The MeteringRecordId of the answer.
    pub metering_record_id: String,
}

/// The form in which a request names the buyer. AWS keeps the styles apart: usage that is sent in two is billed twice
/// ("Sending metering records with both ProductCode and LicenseArn for the same customer within the same hour will
/// result in duplicate billing", Metering Service API reference, BatchMeterUsageRequest).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingStyle {
    /// LicenseArn without a product code: the style of concurrent agreements.
    License,
    /// Product code and CustomerIdentifier: the style of legacy products. The account id of a legacy buyer counts as
    /// the same style.
    Customer,
    /// Product code, with a LicenseArn or with the account id of a buyer who has a license.
    ProductCode,
}

/// A part of a record, by tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BilledAllocation {
    /// The quantity.
    pub quantity: Decimal,
    /// The tags; empty for the part that has none.
    pub tags: BTreeMap<String, String>,
}

/// The sum of the records of one license and dimension in one billing month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BillTotal {
    /// The license's key.
    pub license: LicenseId,
    /// The product.
    pub product: ProductCode,
    /// The dimension that was used.
    pub dimension: DimensionKey,
    /// The billing month that contains the hours, such as `2026-11`.
    pub month: String,
    /// The quantity.
    pub quantity: Decimal,
}

impl Bill {
    /// Creates the bill of some records.
    pub fn of(mut records: Vec<BilledRecord>) -> Self {
        records.sort_by(|one, other| order(one).cmp(&order(other)));
        let mut sums: BTreeMap<(&LicenseId, &ProductCode, &DimensionKey, String), Decimal> = BTreeMap::new();
        for record in &records {
            let sum = sums.entry((&record.license, &record.product, &record.dimension, month_of(record.hour)));
            let sum = sum.or_default();
            *sum = sum.saturating_add(record.quantity);
        }
        let totals = sums.into_iter().map(|((license, product, dimension, month), quantity)| BillTotal {
            license: license.clone(),
            product: product.clone(),
            dimension: dimension.clone(),
            month,
            quantity: quantity.normalize(),
        });
        Self { totals: totals.collect(), records }
    }

    /// Returns the part of one product.
    pub fn of_product(self, product: &ProductCode) -> Self {
        Self::of(self.records.into_iter().filter(|record| record.product == *product).collect())
    }
}

impl Marketplace {
    /// Returns everything that was booked so far, even if the answer was lost.
    pub fn bill(&self) -> Bill {
        let state = self.state();
        let records = state.ledger.iter().filter_map(|(key, entry)| {
            let (license, account, product) = state.billed(&entry.license)?;
            Some(BilledRecord {
                license,
                account,
                product,
                dimension: key.dimension.clone(),
                hour: key.hour,
                quantity: entry.quantity.normalize(),
                region: key.region.clone(),
                style: style(&key.buyer),
                allocations: entry.allocations.iter().map(BilledAllocation::from).collect(),
                metering_record_id: entry.id.clone(),
            })
        });
        Bill::of(records.collect())
    }
}

impl From<&Allocation> for BilledAllocation {
    fn from(allocation: &Allocation) -> Self {
        Self { quantity: allocation.quantity.normalize(), tags: allocation.tags.iter().cloned().collect() }
    }
}

fn style(buyer: &Buyer) -> BillingStyle {
    match buyer {
        Buyer::License { with_product_code: false, .. } => BillingStyle::License,
        Buyer::Customer { .. } => BillingStyle::Customer,
        Buyer::License { with_product_code: true, .. } | Buyer::Account { .. } => BillingStyle::ProductCode,
    }
}

fn order(record: &BilledRecord) -> (Timestamp, &LicenseId, &DimensionKey, BillingStyle, &Region, &str) {
    (record.hour, &record.license, &record.dimension, record.style, &record.region, &record.metering_record_id)
}

fn month_of(hour: Timestamp) -> String {
    hour.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}
