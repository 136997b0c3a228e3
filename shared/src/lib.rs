//! The library that all of Stallkeeper's functions share.
//!
//! `ids`, `time`, `listing`, `license`, `entitlement` and `notification` are the domain: plain Rust without an AWS
//! type, I/O or a clock of their own. `marketplace` and `store` talk to AWS; `http` speaks API Gateway's language.

pub mod ids;
pub mod listing;
pub mod time;
