//! The auditor: checks whether a listing is ready for AWS's review, and if not, reports what is missing and how to fix
//! it.
//!
//! [`Facts`] are gathered elsewhere. Each of the [`CHECKS`] judges them without any I/O, the steps of the listing
//! process depend on checks, and [`assess`] makes the [`Report`] of both. A check whose facts could not be observed
//! never passes. The texts are in `i18n/`.

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
pub mod terms;
mod wiring;

#[cfg(test)]
mod testing;

pub use attestation::{ATTESTATION_LIFE, Attestation};
pub use checks::{CHECKS, Check, Severity, check};
pub use facts::{
    AlarmState, Answer, Facts, Observation, ObservedAlarm, ObservedApplication, ObservedCertificate, ObservedLog,
    ObservedPage, ObservedQueue, ObservedReview, ObservedRule, ObservedSchedule, ObservedStack, ObservedSubscription,
    SubscriptionState, Unobserved,
};
pub use messages::{day, moment, texts};
pub use progress::{Sign, SignChange, sign_changes, visibility_message};
pub use report::{Finding, Message, Report, StepStatus, assess};
pub use steps::{Actor, Outcome, Step, StepState};
pub use table::{TableOptions, table};
