//! The AWS names of the parts of a stack.

use std::collections::BTreeMap;

use domain::listing::Listing;

use super::{DeadLetters, Schedule, template, topic_name};
use crate::products::product;
use crate::queue::uuid;

/// The AWS names of the parts of a stack, as the auditor's settings list them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedNames {
    /// The rule that delivers AWS's events, on the default bus.
    pub marketplace_events_rule: String,
    /// The ARN of the queue to which the rule delivers them.
    pub marketplace_events_queue: String,
    /// The names of the schedules.
    pub schedules: BTreeMap<Schedule, String>,
    /// The URLs of the queues of dead letters.
    pub dead_letters: BTreeMap<DeadLetters, String>,
    /// The alarms' logical ids in the template.
    pub alarms: Vec<String>,
    /// The prefix of the names of all alarms.
    pub alarm_prefix: String,
    /// The log group of the audit log, which records the actions of operators.
    pub audit_log: String,
    /// The ARNs of the subscriptions to AWS's topics, by the topic's name; empty without a listing of a legacy product.
    pub subscriptions: BTreeMap<String, String>,
}

impl DeployedNames {
    /// Returns the names of a stack in an account of the AWS with that URL.
    pub(crate) fn new(stack: &str, aws: &str, account: &str, listings: &[Listing]) -> Self {
        let dead_letters = |of: DeadLetters| queue_url(aws, account, &of.queue(stack));
        let subscriptions = listings
            .iter()
            .flat_map(|listing| product(listing).topics())
            .map(|topic| (topic_name(&topic).to_owned(), format!("{topic}:{}", uuid())));
        Self {
            marketplace_events_rule: format!("{stack}-marketplace-events"),
            marketplace_events_queue: format!("arn:aws:sqs:us-east-1:{account}:{stack}-marketplace-events"),
            schedules: Schedule::ALL.map(|of| (of, format!("{stack}-{}", of.name()))).into(),
            dead_letters: DeadLetters::ALL.map(|of| (of, dead_letters(of))).into(),
            alarms: template::alarms().map(str::to_owned).collect(),
            alarm_prefix: format!("{stack}-"),
            audit_log: format!("{stack}-audit"),
            subscriptions: subscriptions.collect(),
        }
    }

    /// Returns the name of an alarm, by its logical id in the template.
    pub(crate) fn alarm(&self, id: &str) -> String {
        format!("{}{id}", self.alarm_prefix)
    }
}

/// Returns the URL of a queue in the AWS with that URL.
pub(crate) fn queue_url(aws: &str, account: &str, name: &str) -> String {
    format!("{aws}/{account}/{name}")
}
