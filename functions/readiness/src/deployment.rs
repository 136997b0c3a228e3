//! What the stack's parts are called.

use serde::Deserialize;
use url::Url;

/// The names of the stack's parts that are looked at, as the template fills them in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The stack's name, with which those of its alarms begin.
    pub stack: String,
    /// The rule that brings AWS's news.
    pub news_rule: String,
    /// The ARN of the queue that it brings them to.
    pub news_queue: String,
    /// What runs by the clock.
    pub schedules: Vec<Schedule>,
    /// The URLs of the queues of dead letters.
    pub dead_letters: Vec<String>,
    /// The alarms, by their logical ids in the template.
    pub alarms: Vec<String>,
    /// The log group of what people did.
    pub audit_log: String,
    /// Where buyers are sent, where the stack knows that by itself: it has a domain.
    pub registration_url: Option<Url>,
    /// The ARNs of the subscriptions to AWS's topics, of listings of the older kind. What the stack does not have is empty.
    pub subscriptions: Vec<String>,
}

/// Something that runs by the clock.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The schedule's name.
    pub name: String,
    /// What it runs, by the name under which its runs are noted.
    pub runs: String,
    /// How long may pass between two runs before one is missing, in minutes.
    pub patience_minutes: u64,
}
