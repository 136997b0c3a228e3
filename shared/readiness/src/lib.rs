//! The auditor: checks whether a listing is ready for AWS's review, and if not, reports what is missing and how to fix
//! it.
//!
//! [`Facts`] are gathered elsewhere. Each of the [`CHECKS`] judges them without any I/O, the steps of the listing
//! process depend on checks, and [`assess`] makes the [`Report`] of both. A check whose facts could not be observed
//! never passes. The texts are in `i18n/readiness/`.

mod application;
mod attestation;
mod checks;
mod evidence;
mod facts;
mod judgement;
mod listing;
mod messages;
mod page;
mod pattern;
mod progress;
mod report;
mod seller;
mod steps;
mod table;
mod wiring;
pub mod word;

#[cfg(test)]
mod testing;

pub use attestation::{ATTESTATION_LIFE, Attestation};
pub use checks::{CHECKS, Check, Severity, check};
pub use facts::{
    AlarmSeen, AlarmState, Answer, ApplicationSeen, Blind, CertificateSeen, Facts, LogSeen, Look, PageSeen, QueueSeen,
    ReviewSeen, RuleSeen, ScheduleSeen, StackSeen, SubscriptionSeen, SubscriptionState,
};
pub use messages::{day, moment, texts};
pub use progress::{Sign, Turned, life_message, turned};
pub use report::{Finding, Report, Said, StepFound, assess};
pub use steps::{Actor, Outcome, Step, StepState};
pub use table::{Shown, table};
