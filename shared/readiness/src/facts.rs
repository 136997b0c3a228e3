//! The facts that the auditor observed, and the ones that it could not observe.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::evidence::{Evidence, EvidenceKind, ObservedPermission};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use domain::catalog::{OfferAtAws, ProductAtAws, PublicRequest};
use domain::listing::Listing;

/// An observed fact, or the reason why it could not be observed.
pub type Observation<T> = Result<T, Unobserved>;

/// The reason why a fact could not be observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Unobserved {
    /// AWS denies this to the auditor.
    Forbidden {
        /// The action, as IAM names it.
        action: String,
    },
    /// There was no answer in time.
    TimedOut {
        /// The source that was queried.
        source: String,
    },
    /// There was no answer that can be read.
    Unreachable {
        /// The source that was queried.
        source: String,
        /// The reason.
        reason: String,
    },
    /// The auditor does not connect to it, for example because its address is private.
    Refused {
        /// The source that was to be queried.
        source: String,
        /// The reason.
        reason: String,
    },
    /// The listing does not describe the page to check.
    NotDescribed {
        /// The field of the listing's file.
        field: String,
    },
}

/// Everything that is judged, about one listing at one time.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The listing, as it is described.
    pub listing: &'a Listing,
    /// The time of the audit run.
    pub now: Timestamp,
    /// The product in AWS; `None` if AWS has none of this id for this account.
    pub product: Observation<Option<ProductAtAws>>,
    /// The offers of the product in AWS.
    pub offers: Observation<Vec<OfferAtAws>>,
    /// The requests to AWS's reviewers.
    pub review: Observation<ObservedReview>,
    /// The registration page, from outside.
    pub page: ObservedPage,
    /// The seller's application, from outside.
    pub application: ObservedApplication,
    /// The stack itself.
    pub stack: ObservedStack,
    /// The evidence of what the functions did, by kind.
    pub evidence: Observation<BTreeMap<EvidenceKind, Evidence>>,
}

/// The requests to AWS's reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedReview {
    /// The newest request that the product becomes public, if there is one.
    pub public_request: Option<PublicRequest>,
}

/// The answer of a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, after the redirects within the site.
    pub status: u16,
    /// The headers, with names in lowercase.
    pub headers: Vec<(String, String)>,
    /// The start of the body.
    pub body: String,
    /// The time from the request to the end of the answer.
    pub elapsed: Duration,
}

impl Answer {
    /// Returns `true` if the status is one of success (2xx).
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns `true` if it redirects. Redirects within the site were followed, so this one leaves it.
    pub fn leaves_the_site(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// Returns a header by its name in lowercase.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The registration page, checked as AWS's reviewers do.
#[derive(Debug, Clone)]
pub struct ObservedPage {
    /// The URL to which AWS is to send this stack's buyers.
    pub address: Observation<Url>,
    /// Its certificate.
    pub certificate: Observation<ObservedCertificate>,
    /// The answer to a form with an invalid token.
    pub invalid_token: Observation<Answer>,
    /// The page that a buyer fills in, fetched in a session that was created for the check.
    pub form: Observation<Answer>,
}

impl ObservedPage {
    /// Creates the facts of a page of which nothing could be observed, for one reason.
    pub fn unobserved(reason: &Unobserved) -> Self {
        Self {
            address: Err(reason.clone()),
            certificate: Err(reason.clone()),
            invalid_token: Err(reason.clone()),
            form: Err(reason.clone()),
        }
    }
}

/// A site's certificate, as browsers judge it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedCertificate {
    /// It is trusted until this time, which may have passed.
    Until(Timestamp),
    /// No browser trusts it: it is for another name, no known authority has signed it, or an intermediate certificate
    /// is missing.
    NotTrusted {
        /// The problem, as the TLS library describes it.
        reason: String,
    },
}

/// The seller's application, checked from outside.
#[derive(Debug, Clone)]
pub struct ObservedApplication {
    /// The page for new accounts, with a handoff that was created for the check.
    pub sign_up: Observation<Answer>,
    /// The page on which a tenant sees its plan.
    pub plan: Observation<Answer>,
    /// The help page.
    pub support_page: Observation<Answer>,
    /// `true` if the domain of the support address accepts mail: it has an MX record.
    pub support_accepts_mail: Observation<bool>,
    /// The answer to a request to change the plan of a tenant from AWS Marketplace. No redirect was followed.
    pub plan_change: Observation<Answer>,
    /// The answer to the same request for an id that is not a probe's, and that the application should not know.
    pub plan_change_of_unknown_tenant: Observation<Answer>,
    /// The page on how data is handled.
    pub data_policy: Observation<Answer>,
}

impl ObservedApplication {
    /// Creates the facts of an application of which nothing could be observed, for one reason.
    pub fn unobserved(reason: &Unobserved) -> Self {
        Self {
            sign_up: Err(reason.clone()),
            plan: Err(reason.clone()),
            support_page: Err(reason.clone()),
            support_accepts_mail: Err(reason.clone()),
            plan_change: Err(reason.clone()),
            plan_change_of_unknown_tenant: Err(reason.clone()),
            data_policy: Err(reason.clone()),
        }
    }
}

/// The stack itself.
#[derive(Debug, Clone)]
pub struct ObservedStack {
    /// The rules that deliver AWS's events, on the default bus.
    pub rules: Observation<Vec<ObservedRule>>,
    /// The subscriptions to AWS's SNS topics, for a listing in customer mode.
    pub subscriptions: Observation<Vec<ObservedSubscription>>,
    /// The dead-letter queues.
    pub dead_letters: Observation<Vec<ObservedQueue>>,
    /// The schedules.
    pub schedules: Observation<Vec<ObservedSchedule>>,
    /// The alarms in the template.
    pub alarms: Observation<Vec<ObservedAlarm>>,
    /// The permissions of the functions.
    pub permissions: Observation<Vec<ObservedPermission>>,
    /// `true` if the table can be restored to any time of the last weeks.
    pub point_in_time_recovery: Observation<bool>,
    /// The audit log; `None` if there is no such log group.
    pub audit_log: Observation<Option<ObservedLog>>,
}

impl ObservedStack {
    /// Creates the facts of a stack of which nothing could be observed, for one reason.
    pub fn unobserved(reason: &Unobserved) -> Self {
        Self {
            rules: Err(reason.clone()),
            subscriptions: Err(reason.clone()),
            dead_letters: Err(reason.clone()),
            schedules: Err(reason.clone()),
            alarms: Err(reason.clone()),
            permissions: Err(reason.clone()),
            point_in_time_recovery: Err(reason.clone()),
            audit_log: Err(reason.clone()),
        }
    }

    /// Creates the facts of a stack that has none of its resources.
    pub fn absent() -> Self {
        Self {
            rules: Ok(Vec::new()),
            subscriptions: Ok(Vec::new()),
            dead_letters: Ok(Vec::new()),
            schedules: Ok(Vec::new()),
            alarms: Ok(Vec::new()),
            permissions: Ok(Vec::new()),
            point_in_time_recovery: Ok(false),
            audit_log: Ok(None),
        }
    }
}

/// An EventBridge rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedRule {
    /// Its name.
    pub name: String,
    /// `true` if it is enabled.
    pub is_enabled: bool,
    /// The event pattern.
    pub pattern: Value,
    /// `true` if the stack's marketplace events queue is a target of it.
    pub has_target: bool,
}

/// A subscription to one of AWS's SNS topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSubscription {
    /// The topic's name.
    pub topic: String,
    /// Its state.
    pub state: SubscriptionState,
}

/// The state of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It receives the topic's notifications.
    Confirmed,
    /// It waits for confirmation.
    Pending,
    /// The stack created it, and it was deleted later.
    Deleted,
}

/// A dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedQueue {
    /// Its name.
    pub name: String,
    /// The number of messages that it holds; `None` if it does not exist.
    pub messages: Option<u64>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSchedule {
    /// Its name.
    pub name: String,
    /// `true` if it is enabled.
    pub is_enabled: bool,
    /// The longest time between two runs before one counts as missing.
    pub max_interval: Duration,
    /// The time of its last run; `None` if it never ran.
    pub last_run: Observation<Option<Timestamp>>,
}

/// A CloudWatch alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedAlarm {
    /// Its name; if it does not exist, its logical id in the template.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
}

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// It is active, and not in ALARM.
    Active,
    /// It is in ALARM.
    InAlarm,
    /// Its actions are disabled, so it notifies no operator.
    ActionsDisabled,
    /// The template has it, and CloudWatch does not.
    Missing,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedLog {
    /// Its name.
    pub name: String,
    /// The retention in days; `None` if it keeps its events forever.
    pub kept_days: Option<u32>,
}
