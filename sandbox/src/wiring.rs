//! The wiring of a stack, with a switch for each part that can break: the parts that the auditor asks AWS about.
//!
//! The switches take effect: a disabled rule delivers no events, an unconfirmed subscription receives none, and a
//! disabled schedule runs nothing.

mod names;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use domain::listing::Listing;
use local_aws::{MarketplaceEvent, merge_patch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bus;
use crate::products::product;

pub use names::DeployedNames;
pub(crate) use names::queue_url;

/// The suffix of a queue's name in the name of its dead-letter queue.
pub(crate) const DEAD_LETTERS: &str = "-dead-letters";

/// The most dead letters that can be made in a queue.
const MOST_DEAD_LETTERS: usize = 1000;

/// The retention times that a log group accepts, in days (CloudWatch Logs API reference, PutRetentionPolicy).
const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The wiring of a stack. A part that was removed is missing here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wiring {
    /// The rule that delivers AWS's events.
    pub rule: Option<Rule>,
    /// The schedules.
    #[serde(default)]
    pub schedules: BTreeMap<Schedule, State>,
    /// The alarms, by their logical ids in the template.
    #[serde(default)]
    pub alarms: BTreeMap<String, AlarmState>,
    /// The alarms whose actions are disabled, by their logical ids.
    #[serde(default)]
    pub disabled_alarm_actions: BTreeSet<String>,
    /// The subscriptions to AWS's topics for listings of legacy products, by the topic's name.
    #[serde(default)]
    pub subscriptions: BTreeMap<String, Subscription>,
    /// The number of dead letters in each queue. A greater number adds made-up dead letters, a smaller one removes the
    /// newest.
    #[serde(default)]
    pub dead_letters: BTreeMap<DeadLetters, usize>,
    /// `true` if point-in-time recovery is enabled for the table.
    #[serde(default)]
    pub point_in_time_recovery: bool,
    /// The log group of the audit log, which records the actions of operators.
    pub audit_log: Option<AuditLog>,
}

/// The rule that delivers AWS's events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The state of the rule.
    pub state: State,
    /// The event pattern.
    pub pattern: Value,
    /// `true` if the marketplace events queue is its target.
    pub has_target: bool,
}

/// The state of a rule or a schedule, in AWS's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// The rule or schedule is on.
    Enabled,
    /// The rule or schedule is off.
    Disabled,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
        }
    }
}

/// The schedules of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The reporter of usage.
    Metering,
    /// The reconciliation with AWS Marketplace.
    Reconcile,
    /// The auditor.
    Readiness,
}

impl Schedule {
    pub(crate) const ALL: [Self; 3] = [Self::Metering, Self::Reconcile, Self::Readiness];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metering => "metering",
            Self::Reconcile => "reconcile",
            Self::Readiness => "readiness",
        }
    }

    /// Returns the longest time between two runs, in minutes, after which the auditor reports a missed run; the values
    /// are those of the template.
    pub(crate) fn max_interval_minutes(self) -> u64 {
        match self {
            Self::Metering => 120,
            Self::Reconcile => 180,
            Self::Readiness => 2880,
        }
    }

    /// Returns the schedule expression of the template.
    pub(crate) fn expression(self) -> &'static str {
        match self {
            Self::Metering => "cron(0/5 * * * ? *)",
            Self::Reconcile => "cron(0 * * * ? *)",
            Self::Readiness => "cron(0 6 * * ? *)",
        }
    }

    /// Returns the logical id of the function that it runs.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Metering => "MeteringFunction",
            Self::Reconcile => "ReconcileFunction",
            Self::Readiness => "ReadinessFunction",
        }
    }

    /// Returns the logical id of the role with which it runs.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Metering => "MeteringScheduleRole",
            Self::Reconcile => "ReconcileScheduleRole",
            Self::Readiness => "ReadinessScheduleRole",
        }
    }
}

/// The state of an alarm, in AWS's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// The metric is within the threshold.
    Ok,
    /// The metric is outside the threshold.
    Alarm,
    /// There is not enough data to determine the state.
    InsufficientData,
}

impl AlarmState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// The status of a subscription to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Subscription {
    /// The subscription receives the messages of the topic.
    Confirmed,
    /// The subscription receives nothing until it is confirmed.
    Pending,
}

/// A queue of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetters {
    /// Dead letters of AWS's events.
    MarketplaceEvents,
    /// Dead letters of mails to buyers.
    Mail,
    /// Dead letters of runs of the reporter and the reconciliation.
    Run,
}

impl DeadLetters {
    pub(crate) const ALL: [Self; 3] = [Self::MarketplaceEvents, Self::Mail, Self::Run];

    /// Returns the queue's name.
    pub(crate) fn queue(self, stack: &str) -> String {
        let of = match self {
            Self::MarketplaceEvents => "marketplace-events",
            Self::Mail => "mail",
            Self::Run => "run",
        };
        format!("{stack}-{of}{}", DEAD_LETTERS)
    }
}

/// A wiring that a stack cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stack cannot be wired so: {problem}")]
pub struct InvalidWiring {
    problem: String,
}

/// A log group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLog {
    /// The retention in days; `None` keeps the log forever.
    pub retention_days: Option<u32>,
}

impl Wiring {
    /// Returns the wiring that the template deploys for these listings.
    pub(crate) fn deployed(listings: &[Listing]) -> Self {
        let topics = listings.iter().flat_map(|listing| product(listing).topics());
        Self {
            rule: Some(Rule { state: State::Enabled, pattern: bus::event_pattern(), has_target: true }),
            schedules: Schedule::ALL.map(|schedule| (schedule, State::Enabled)).into(),
            alarms: template::alarms().map(|alarm| (alarm.to_owned(), AlarmState::Ok)).collect(),
            disabled_alarm_actions: BTreeSet::new(),
            subscriptions: topics.map(|topic| (topic_name(&topic).to_owned(), Subscription::Confirmed)).collect(),
            dead_letters: DeadLetters::ALL.map(|queue| (queue, 0)).into(),
            point_in_time_recovery: true,
            audit_log: Some(AuditLog { retention_days: Some(template::AUDIT_RETENTION) }),
        }
    }

    /// Returns this wiring after a merge patch (RFC 7396), for a stack that was deployed with the wiring `deployed`.
    ///
    /// # Errors
    ///
    /// Fails for parts that the stack does not have, and for values that AWS does not accept.
    pub(crate) fn patched(&self, patch: Map<String, Value>, deployed: &Self) -> Result<Self, InvalidWiring> {
        let refused = |problem: String| InvalidWiring { problem };
        let before = serde_json::to_value(self).map_err(|error| refused(error.to_string()))?;
        let Value::Object(mut members) = before else { return Err(refused("the wiring is no object".to_owned())) };
        merge_patch(&mut members, patch);
        let wiring: Self = serde_json::from_value(members.into()).map_err(|error| refused(error.to_string()))?;
        wiring.check(deployed).map_err(refused)?;
        Ok(wiring)
    }

    fn check(&self, deployed: &Self) -> Result<(), String> {
        known("alarm", &self.alarms, &deployed.alarms)?;
        known(
            "alarm",
            &self.disabled_alarm_actions.iter().map(|alarm| (alarm.clone(), ())).collect(),
            &deployed.alarms,
        )?;
        known("subscription", &self.subscriptions, &deployed.subscriptions)?;
        if let Some(rule) = &self.rule
            && bus::matches(&rule.pattern, &Value::Null).is_none()
        {
            return Err("the sandbox matches patterns of texts, `prefix` and `suffix` only".to_owned());
        }
        if self.dead_letters.values().any(|letters| *letters > MOST_DEAD_LETTERS) {
            return Err(format!("a queue has {MOST_DEAD_LETTERS} dead letters at most"));
        }
        match self.audit_log.and_then(|log| log.retention_days) {
            Some(days) if !RETENTIONS.contains(&days) => {
                let allowed: Vec<String> = RETENTIONS.iter().map(u32::to_string).collect();
                Err(format!("`retention_days` is null or one of: {}", allowed.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns `true` if a schedule is enabled.
    pub(crate) fn runs(&self, schedule: Schedule) -> bool {
        self.schedules.get(&schedule) == Some(&State::Enabled)
    }

    /// Returns `true` if the rule or the subscription delivers an event.
    pub(crate) fn delivers(&self, event: &MarketplaceEvent) -> bool {
        match event {
            MarketplaceEvent::EventBridge(event) => self.rule.as_ref().is_some_and(|rule| {
                rule.state == State::Enabled && rule.has_target && bus::matches(&rule.pattern, event) == Some(true)
            }),
            MarketplaceEvent::Sns { topic_arn, .. } => {
                self.subscriptions.get(topic_name(topic_arn)) == Some(&Subscription::Confirmed)
            }
        }
    }
}

fn known<T, U>(kind: &str, given: &BTreeMap<String, T>, known: &BTreeMap<String, U>) -> Result<(), String> {
    match given.keys().find(|name| !known.contains_key(*name)) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<&str> = known.keys().map(String::as_str).collect();
            let given: String = unknown.chars().take(80).collect();
            Err(format!("there is no {kind} `{given}`, only: {}", known.join(", ")))
        }
    }
}

/// Returns the name of a topic, at the end of its ARN.
pub(crate) fn topic_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}
