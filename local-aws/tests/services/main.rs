//! The local AWS, tested over the wire with AWS's own SDK for Rust.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test; clippy knows test functions, but not their fixture"
)]

mod agreements;
mod catalog_change_sets;
mod catalog_entities;
mod catalog_progress;
mod documented_events;
mod entitlements;
mod events;
mod faults;
mod fixture;
mod host;
mod metering;
mod metering_allocations;
mod metering_buyers;
mod metering_faults;
mod metering_windows;
mod refusals;
mod registration_tokens;
mod wire;
