//! The command `stallkeeper` as an operator types it, on a sandbox.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails here fails the test; clippy knows test functions, but not what they share"
)]

mod catalog;
mod dlq;
mod doctor;
mod events;
mod fixture;
mod licenses;
mod readiness;
mod stacks;
mod usage;
