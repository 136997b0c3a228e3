//! What the parts of a stack are called at AWS.

use std::collections::BTreeMap;

use stallkeeper::listing::Listing;

use super::wiring::{DeadLetters, Schedule, topic_name};
use super::{queues, template};
use crate::aws::marketplace::topics;
use crate::queue::uuid;

/// What the parts of a stack are called at AWS, as the auditor is told by its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedNames {
    /// The rule that brings AWS's news, on the default bus.
    pub news_rule: String,
    /// The ARN of the queue that it brings them to.
    pub news_queue: String,
    /// What runs by the clock.
    pub schedules: BTreeMap<Schedule, String>,
    /// The URLs of the queues of dead letters.
    pub dead_letters: BTreeMap<DeadLetters, String>,
    /// The alarms' logical ids in the template.
    pub alarms: Vec<String>,
    /// What the names of all alarms begin with.
    pub alarm_prefix: String,
    /// The log group of what people did.
    pub audit_log: String,
    /// The ARNs of the subscriptions to AWS's topics, by the topic's name; none without a listing of the older kind.
    pub subscriptions: BTreeMap<String, String>,
}

impl DeployedNames {
    /// The names of a stack in an account of the AWS at that URL.
    pub(crate) fn new(stack: &str, aws: &str, account: &str, listings: &[Listing]) -> Self {
        let dead_letters = |of: DeadLetters| queues::url(aws, account, &of.queue(stack));
        let subscriptions = listings
            .iter()
            .flat_map(topics)
            .map(|topic| (topic_name(&topic).to_owned(), format!("{topic}:{}", uuid())));
        Self {
            news_rule: format!("{stack}-news"),
            news_queue: format!("arn:aws:sqs:us-east-1:{account}:{stack}-news"),
            schedules: Schedule::ALL.map(|of| (of, format!("{stack}-{}", of.name()))).into(),
            dead_letters: DeadLetters::ALL.map(|of| (of, dead_letters(of))).into(),
            alarms: template::alarms().map(str::to_owned).collect(),
            alarm_prefix: format!("{stack}-"),
            audit_log: format!("{stack}-audit"),
            subscriptions: subscriptions.collect(),
        }
    }

    /// The name of an alarm, by its logical id in the template.
    pub(super) fn alarm(&self, id: &str) -> String {
        format!("{}{id}", self.alarm_prefix)
    }
}
