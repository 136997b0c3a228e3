//! The auditor: is the listing ready for AWS's review, and if not, what is missing and how is it mended?
//!
//! What is looked at are [`Facts`], gathered elsewhere; each of the [`CHECKS`] judges them without looking itself, the
//! steps of the process rest on checks, and [`assess`] makes the [`Report`] of both. A check that could not look never
//! passes. The texts are in `i18n/readiness/`.

mod application;
mod attestation;
mod checks;
mod evidence;
mod facts;
mod judgement;
mod listing;
mod page;
mod pattern;
mod progress;
mod report;
mod seller;
mod steps;
mod table;
mod texts;
mod wiring;
pub mod word;

#[cfg(test)]
mod testing;

pub use attestation::{ATTESTATION_LIFE, Attestation};
pub use checks::{CHECKS, Check, Severity, check};
pub use evidence::{Evidence, EvidenceKind};
pub use facts::{
    AlarmSeen, AlarmState, Answer, ApplicationSeen, Blind, CertificateSeen, Facts, LogSeen, Look, PageSeen,
    PermissionSeen, QueueSeen, ReviewSeen, RuleSeen, ScheduleSeen, StackSeen, SubscriptionSeen, SubscriptionState,
};
pub use progress::{Sign, Turned, turned};
pub use report::{Finding, Report, Said, StepFound, assess};
pub use steps::{Actor, Outcome, Step, StepState};
pub use table::{Shown, table};
pub use texts::{day, moment, texts};
