//! The parts of Stallkeeper's requests and answers that this application uses. `docs/openapi.yaml` has the rest.
//!
//! Unknown members are ignored, so that a newer Stallkeeper breaks no older application.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The purchase that a code stands for. It has no `Debug`, because it is personal.
#[derive(Clone, Deserialize)]
pub struct Handoff {
    /// The license that was bought.
    pub license: String,
    /// The buyer's AWS account, to be shown masked and confirmed.
    pub account: Option<String>,
    /// `true` if the license is linked to a tenant already.
    pub linked: bool,
    /// `true` if it is not a buyer's, but that of a probe that checks the application. Its tenants' ids start with
    /// `probe-`.
    #[serde(default)]
    pub probe: bool,
    /// The contact that the buyer left on the registration page.
    pub contact: Option<Contact>,
}

/// A buyer's contact, to fill in a form with.
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
    /// The agreement that it results from.
    pub agreement: Option<String>,
    /// `pending`, `failed`, `active`, `ending` or `ended`.
    pub state: String,
    /// `true` if the tenant may use the product.
    pub grants_access: bool,
    /// The tenant that it is linked to.
    pub tenant: Option<String>,
}

/// A tenant, as Stallkeeper knows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Tenant {
    /// `true` if it buys on AWS Marketplace.
    pub managed: bool,
    /// The permission to change its plan in the application.
    pub change_plan: Permission,
    /// The permission to leave in the application.
    pub cancel: Permission,
    /// All its licenses, including ended ones.
    pub licenses: Vec<License>,
}

/// The place where an action is done: in the application or elsewhere.
#[derive(Debug, Clone, Deserialize)]
pub struct Permission {
    /// `true` if it is done here.
    pub in_application: bool,
    /// The address at which it is done, if it is not done here.
    pub url: Option<String>,
}

/// The decision about a tenant's use of a dimension.
#[derive(Debug, Clone, Deserialize)]
pub struct Decision {
    /// The dimension.
    pub dimension: String,
    /// `true` if the tenant may use it.
    pub allowed: bool,
    /// The reason, as a code.
    pub reason: String,
    /// The quantity that is held, if the dimension is counted.
    pub held: Option<String>,
    /// The time until which the tenant may use it at least.
    pub until: Option<Timestamp>,
    /// The age of the data, in seconds.
    pub age_seconds: Option<i64>,
    /// The licenses that the decision is based on.
    pub licenses: Vec<String>,
}

/// A usage event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageEvent {
    /// The license whose usage it is.
    pub license: String,
    /// The dimension of the usage.
    pub dimension: String,
    /// The whole quantity: a correction has the whole quantity again.
    pub quantity: u64,
    /// The time at which the usage happened, not the time of the report.
    pub time: Timestamp,
    /// The key that identifies the event, however often it is sent.
    pub key: String,
    /// The revision: the number of the correction, from 0.
    pub revision: u32,
}

/// The result of an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum EventResult {
    /// The event will be billed.
    Accepted,
    /// The event was reported before with the same content.
    Duplicate,
    /// The event was reported before with other content, and can no longer be corrected.
    Conflict {
        /// The reason, as a code.
        code: String,
    },
    /// The event is refused.
    Refused {
        /// The reason, as a code.
        code: String,
        /// The license that replaced the event's license.
        successor: Option<String>,
    },
    /// The event is not confirmed: send the same event again.
    Retry,
}

/// A license's usage of one dimension in one hour, as it is sent to AWS.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// The hour in UTC, such as `2026-11-10T09`.
    pub hour: String,
    /// The dimension.
    pub dimension: String,
    /// The quantity.
    pub quantity: String,
    /// The state of the record.
    pub state: RecordState,
}

/// The state of a record.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordState {
    /// The name of the state: `accepted` is billed, `sealed` and `claimed` are on their way; most of the others need an
    /// operator.
    pub name: String,
}
