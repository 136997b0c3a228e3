//! The Catalog API: the client that reads products and offers, and the change sets that change them.

mod change_errors;
mod change_sets;
mod client;
mod details;
mod plan;

pub use change_errors::ChangeError;
pub use change_sets::{ChangeSetAtAws, Failure, NotStarted, Status};
pub use client::Catalog;
pub use plan::{Change, ChangeSet, Difference, Plan, Target, plan};
