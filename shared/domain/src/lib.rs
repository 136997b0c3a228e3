//! The domain: licenses, listings, usage and what follows from them.
//!
//! Plain Rust: no AWS SDK, no HTTP, no DynamoDB, no async runtime and no clock. Functions that depend on the time take it
//! as an argument.

pub mod agreement;
pub mod allocation;
pub mod audit;
pub mod catalog;
pub mod decision;
pub mod entitlement;
pub mod errors;
pub mod evidence;
pub mod ids;
pub mod language;
pub mod ledger;
pub mod ledger_schedule;
pub mod license;
pub mod listing;
pub mod metering;
pub mod notification;
pub mod overage;
pub mod registration;
pub mod schema;
pub mod tags;
pub mod time;
pub mod usage;
