//! What the auditor saw, and what it could not look at.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::evidence::{Evidence, EvidenceKind};
use crate::listing::Listing;
use crate::marketplace::{OfferAtAws, ProductAtAws, PublicRequest};

/// What was seen, or why nothing could be.
pub type Look<T> = Result<T, Blind>;

/// Why something could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Blind {
    /// AWS refuses this to the auditor.
    Forbidden {
        /// The action, as IAM names it.
        action: String,
    },
    /// There was no answer in time.
    TimedOut {
        /// What was asked.
        what: String,
    },
    /// There was no answer that can be read.
    Unreachable {
        /// What was asked.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The auditor does not go there: a private address, for one.
    Refused {
        /// What was to be asked.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The listing does not describe where to look.
    NotDescribed {
        /// The field of the listing's file.
        field: String,
    },
}

/// Everything that is judged, of one listing at one moment.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The listing, as it is described.
    pub listing: &'a Listing,
    /// When it was looked.
    pub now: Timestamp,
    /// The product at AWS; none if AWS has none of that id for this account.
    pub product: Look<Option<ProductAtAws>>,
    /// The offers of the product at AWS.
    pub offers: Look<Vec<OfferAtAws>>,
    /// What was asked of AWS's reviewers.
    pub review: Look<ReviewSeen>,
    /// The registration page, from outside.
    pub page: PageSeen,
    /// The seller's application, from outside.
    pub application: ApplicationSeen,
    /// The stack itself.
    pub stack: StackSeen,
    /// What the functions did, by kind.
    pub evidence: Look<BTreeMap<EvidenceKind, Evidence>>,
}

/// What was asked of AWS's reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewSeen {
    /// The newest request that the product becomes public, if there was any.
    pub public_request: Option<PublicRequest>,
}

/// What a web server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, after the redirects within the site.
    pub status: u16,
    /// The headers, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// Whether it is what was asked for.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it sends elsewhere; redirects within the site were followed, so this one leaves it.
    pub fn leaves_the_site(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The registration page, looked at as AWS's reviewers do.
#[derive(Debug, Clone)]
pub struct PageSeen {
    /// Where AWS is to send this stack's buyers.
    pub address: Look<Url>,
    /// Its certificate.
    pub certificate: Look<CertificateSeen>,
    /// The answer to a form with a made-up token.
    pub made_up_token: Look<Answer>,
    /// The page that a buyer fills in, seen by a visit that was made for the check.
    pub form: Look<Answer>,
}

/// A site's certificate, as browsers judge it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSeen {
    /// It is trusted, or was until then.
    Until(Timestamp),
    /// No browser takes it: it is of another name, nobody known has signed it, or what leads to who has is not sent.
    NotTrusted {
        /// What is wrong, as the TLS library says it.
        reason: String,
    },
}

/// The seller's application, looked at from outside.
#[derive(Debug, Clone)]
pub struct ApplicationSeen {
    /// The page for new accounts, with a handoff that was made for the check.
    pub sign_up: Look<Answer>,
    /// The page on which a tenant sees its plan.
    pub plan: Look<Answer>,
    /// The page with help.
    pub support_page: Look<Answer>,
    /// Whether the domain of the support's address takes mail: it has an MX record.
    pub support_takes_mail: Look<bool>,
    /// What the application says when a tenant from AWS Marketplace is to change its plan. No redirect was followed.
    pub plan_change: Look<Answer>,
    /// What it says of an id that is no probe's, and should not know.
    pub plan_change_of_nobody: Look<Answer>,
    /// The page on how data is handled.
    pub data_policy: Look<Answer>,
}

/// The stack itself.
#[derive(Debug, Clone)]
pub struct StackSeen {
    /// The rules that bring AWS's news, on the default bus.
    pub rules: Look<Vec<RuleSeen>>,
    /// Of a listing of the older kind: its subscriptions to AWS's topics.
    pub subscriptions: Look<Vec<SubscriptionSeen>>,
    /// The dead letters.
    pub dead_letters: Look<Vec<QueueSeen>>,
    /// What runs by the clock.
    pub schedules: Look<Vec<ScheduleSeen>>,
    /// The alarms that the template has.
    pub alarms: Look<Vec<AlarmSeen>>,
    /// What the functions may do.
    pub permissions: Look<Vec<PermissionSeen>>,
    /// Whether the table can be restored to any moment of the last weeks.
    pub point_in_time_recovery: Look<bool>,
    /// The audit log; none if there is no such log group.
    pub audit_log: Look<Option<LogSeen>>,
}

/// A rule of EventBridge.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSeen {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub is_enabled: bool,
    /// What it matches.
    pub pattern: Value,
    /// Whether the stack's queue of news is a target of it.
    pub has_target: bool,
}

/// A subscription to one of AWS's topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSeen {
    /// The topic's name.
    pub topic: String,
    /// How far it is.
    pub state: SubscriptionState,
}

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It hears what the topic says.
    Confirmed,
    /// It waits to be confirmed.
    Pending,
    /// The stack made it, and somebody has taken it away.
    Gone,
}

/// A queue of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSeen {
    /// Its name.
    pub name: String,
    /// How many messages it holds; none if it is gone.
    pub messages: Option<u64>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSeen {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub is_enabled: bool,
    /// How long may pass between two runs before one is missing.
    pub patience: Duration,
    /// When it was last done; none if it never was.
    pub last_run: Look<Option<Timestamp>>,
}

/// An alarm of CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmSeen {
    /// Its name; of one that is gone, what the template calls it.
    pub name: String,
    /// How it is.
    pub state: AlarmState,
}

/// How an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// It would tell if something were wrong.
    Watches,
    /// It is in ALARM.
    Rings,
    /// Its actions are switched off: it would tell nobody.
    Mute,
    /// The template has it, and CloudWatch does not.
    Gone,
}

/// What AWS said when a function last asked for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionSeen {
    /// The function.
    pub function: String,
    /// The action, as IAM names it.
    pub action: String,
    /// Whether it was allowed.
    pub is_allowed: bool,
    /// When; of the same said more than once on a day, the first time.
    pub at: Timestamp,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSeen {
    /// Its name.
    pub name: String,
    /// For how many days it keeps what is written; none for ever.
    pub kept_days: Option<u32>,
}
