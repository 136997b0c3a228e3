//! The library that all of Stallkeeper's functions share.
//!
//! `ids`, `time`, `listing`, `license`, `agreement`, `entitlement`, `tags`, `audit` and `notification` are the domain: plain Rust
//! without an AWS type, I/O or a clock of their own. `marketplace`, `store` and `topic` talk to AWS, `http` speaks API
//! Gateway's language, `csv_file` reads the seller's files, `schema` declares the JSON forms of ids and amounts for the
//! API's contract, `texts` speaks people's languages, `terminal` is what programs say, `lifecycle` is where news and registrations become changes of the table,
//! `reconcile` makes good what news left out, and `readiness` judges whether the listing is ready for AWS's review.

pub mod agreement;
pub mod allocation;
pub mod audit;
pub mod aws;
pub mod csv_file;
pub mod entitlement;
pub mod http;
pub mod ids;
pub mod ledger;
pub mod license;
pub mod lifecycle;
pub mod listing;
pub mod marketplace;
pub mod metering;
pub mod metrics;
pub mod notification;
pub mod overage;
pub mod readiness;
pub mod reconcile;
pub mod registration;
pub mod schema;
pub mod store;
pub mod tags;
pub mod terminal;
pub mod texts;
pub mod time;
pub mod topic;
pub mod usage;
