//! What Stallkeeper is told and answers, as far as this application reads it. `docs/openapi.yaml` has the rest.
//!
//! Members that are not known are passed over, so that a newer Stallkeeper breaks no older application.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a code stands for. It has no `Debug`: it is personal.
#[derive(Clone, Deserialize)]
pub struct Handoff {
    /// What was bought.
    pub license: String,
    /// The buyer's AWS account, to show masked and have confirmed.
    pub account: Option<String>,
    /// Whether the license belongs to a tenant already.
    pub linked: bool,
    /// Whether it is no buyer, but a probe that looks at the application. Its tenants' ids begin with `probe-`.
    #[serde(default)]
    pub probe: bool,
    /// What the buyer left on the registration page.
    pub contact: Option<Contact>,
}

/// A person, to fill in a form with.
#[derive(Clone, Deserialize)]
pub struct Contact {
    /// The mail address.
    pub email: String,
    /// The company.
    pub company: Option<String>,
}

/// A license.
#[derive(Debug, Clone, Deserialize)]
pub struct License {
    /// Its key.
    pub id: String,
    /// The product's code.
    pub product: String,
    /// The agreement that it comes of.
    pub agreement: Option<String>,
    /// `pending`, `failed`, `active`, `ending` or `ended`.
    pub state: String,
    /// Whether the tenant may use the product.
    pub grants_access: bool,
    /// Whose it is.
    pub tenant: Option<String>,
}

/// What is known of a tenant.
#[derive(Debug, Clone, Deserialize)]
pub struct Tenant {
    /// Whether it buys at AWS Marketplace.
    pub managed: bool,
    /// Whether it may change its plan in the application.
    pub change_plan: Permission,
    /// Whether it may leave in the application.
    pub leave: Permission,
    /// All its licenses, also those that have ended.
    pub licenses: Vec<License>,
}

/// Whether something is done in the application, or where else.
#[derive(Debug, Clone, Deserialize)]
pub struct Permission {
    /// Whether it is done here.
    pub in_application: bool,
    /// Where it is done if not here.
    pub at: Option<String>,
}

/// Whether a tenant may use a dimension.
#[derive(Debug, Clone, Deserialize)]
pub struct Decision {
    /// The dimension.
    pub dimension: String,
    /// Whether it may.
    pub allowed: bool,
    /// Why, as a word.
    pub reason: String,
    /// How much is held, where that is counted.
    pub held: Option<String>,
    /// Until when at least.
    pub until: Option<Timestamp>,
    /// How old the knowledge is, in seconds.
    pub age_seconds: Option<i64>,
    /// The licenses that it rests on.
    pub licenses: Vec<String>,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageEvent {
    /// Whose usage.
    pub license: String,
    /// Of what.
    pub dimension: String,
    /// How much, in total: a correction says the whole amount again.
    pub quantity: u64,
    /// When it happened, and not when it is reported.
    pub time: Timestamp,
    /// What makes it one, however often it is sent.
    pub key: String,
    /// Which correction of it, from 0.
    pub revision: u32,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum EventResult {
    /// It will be billed.
    Accepted,
    /// It was reported before just so.
    Duplicate,
    /// It was reported before otherwise, and can no longer be corrected.
    Conflict {
        /// Why, as a word.
        code: String,
    },
    /// It is not taken in.
    Refused {
        /// Why, as a word.
        code: String,
        /// The license that took over from the event's.
        successor: Option<String>,
    },
    /// It is not confirmed: the same again.
    Retry,
}

/// A license's usage of one dimension in one hour, as AWS is told it.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// Such as `2026-11-10T09`, in UTC.
    pub hour: String,
    /// The dimension.
    pub dimension: String,
    /// How much.
    pub quantity: String,
    /// How far it is.
    pub state: RecordState,
}

/// How far a record is.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordState {
    /// `accepted` is billed, `sealed` and `claimed` are on their way; an operator looks at most of the others.
    pub name: String,
}
