//! The names of the stack's resources.

use serde::Deserialize;
use url::Url;

/// The names of the stack's resources that the auditor checks, as the template fills them in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The stack's name, which is the prefix of the names of its alarms.
    pub stack: String,
    /// The EventBridge rule that delivers AWS's events.
    pub marketplace_events_rule: String,
    /// The ARN of the queue that the rule delivers to.
    pub marketplace_events_queue: String,
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// The URLs of the dead-letter queues.
    pub dead_letters: Vec<String>,
    /// The alarms, by their logical ids in the template.
    pub alarms: Vec<String>,
    /// The log group of the audit log.
    pub audit_log: String,
    /// The URL to which AWS Marketplace sends buyers to register. The stack knows it by itself only if it has a domain.
    pub registration_url: Option<Url>,
    /// The ARNs of the subscriptions to AWS's SNS topics, for listings in customer mode. An entry is empty if the stack
    /// does not have that subscription.
    pub subscriptions: Vec<String>,
}

/// A schedule of the stack.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The schedule's name.
    pub name: String,
    /// The name under which the runs that it starts are recorded.
    pub runs: String,
    /// The longest time between two runs before one counts as missing, in minutes.
    pub max_interval_minutes: u64,
}
