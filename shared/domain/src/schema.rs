//! The JSON forms of the domain's values, as the API's contract declares them.
//!
//! Structs and enums derive their schemas, and the macro `text_schema` declares those of values that are a text in JSON.
//! The types here stand for values whose own types belong to other crates.

use marketplace_ids::text_schema;

/// An amount that is not negative.
#[derive(Debug)]
pub enum Amount {}

text_schema!(
    Amount,
    "Amount",
    "A decimal number that is not negative, as a text so that no digit is lost.",
    "^[0-9]+(\\.[0-9]+)?$",
    "0.25"
);

/// An amount that may be negative.
#[derive(Debug)]
pub enum SignedAmount {}

text_schema!(
    SignedAmount,
    "SignedAmount",
    "A decimal number as a text, so that no digit is lost.",
    "^-?[0-9]+(\\.[0-9]+)?$",
    "5"
);

/// The id of a report of readiness.
#[derive(Debug)]
pub enum ReportId {}

text_schema!(
    ReportId,
    "ReportId",
    "The id of a report (ULID). Ids sort by time.",
    "^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    "01KCMGXD3800000000000000A1"
);
