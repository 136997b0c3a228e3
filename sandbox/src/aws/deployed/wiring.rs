//! How a stack is wired, with a switch for each thing that can break: what the auditor asks AWS about.
//!
//! A switch does what it says: a rule that is off brings no news, a subscription that is not confirmed hears none, and
//! a schedule that is off runs nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stallkeeper::listing::Listing;

use super::template;
use crate::aws::catalog::merge_patch;
use crate::aws::marketplace::{News, topics};
use crate::aws::refused::Refused;
use crate::bus;

/// How many dead letters can be made at most.
const MOST_DEAD_LETTERS: usize = 1000;

/// What a log group can be told to keep, in days (CloudWatch Logs API reference, PutRetentionPolicy).
const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// How a stack is wired. What is removed is missing here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wiring {
    /// The rule that brings AWS's news.
    pub rule: Option<Rule>,
    /// What runs by the clock.
    #[serde(default)]
    pub schedules: BTreeMap<Schedule, State>,
    /// The alarms, by their logical ids in the template.
    #[serde(default)]
    pub alarms: BTreeMap<String, AlarmState>,
    /// The alarms whose actions are switched off, by their logical ids.
    #[serde(default)]
    pub mute_alarms: BTreeSet<String>,
    /// The subscriptions to AWS's topics for listings of the older kind, by the topic's name.
    #[serde(default)]
    pub subscriptions: BTreeMap<String, Subscription>,
    /// How many dead letters there are. Setting it makes some up, or takes the newest away.
    #[serde(default)]
    pub dead_letters: BTreeMap<DeadLetters, usize>,
    /// Whether the table can be restored to any moment of the last weeks.
    #[serde(default)]
    pub point_in_time_recovery: bool,
    /// The log group of what people did.
    pub audit_log: Option<AuditLog>,
}

/// The rule that brings AWS's news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Whether it is on.
    pub state: State,
    /// What it matches.
    pub pattern: Value,
    /// Whether the news queue is its target.
    pub has_target: bool,
}

/// Whether a rule or a schedule is on, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// It is on.
    Enabled,
    /// It is off.
    Disabled,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
        }
    }
}

/// What runs by the clock.
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
    pub(super) const ALL: [Self; 3] = [Self::Metering, Self::Reconcile, Self::Readiness];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metering => "metering",
            Self::Reconcile => "reconcile",
            Self::Readiness => "readiness",
        }
    }

    /// How long may pass between two runs before the auditor misses one, as the template has it.
    pub(crate) fn patience_minutes(self) -> u64 {
        match self {
            Self::Metering => 120,
            Self::Reconcile => 180,
            Self::Readiness => 2880,
        }
    }

    /// When it runs, as the template has it.
    pub(super) fn expression(self) -> &'static str {
        match self {
            Self::Metering => "cron(0/5 * * * ? *)",
            Self::Reconcile => "cron(0 * * * ? *)",
            Self::Readiness => "cron(0 6 * * ? *)",
        }
    }

    /// What the template calls the function that it runs.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::Metering => "MeteringFunction",
            Self::Reconcile => "ReconcileFunction",
            Self::Readiness => "ReadinessFunction",
        }
    }

    /// What the template calls the role that runs it.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Metering => "MeteringScheduleRole",
            Self::Reconcile => "ReconcileScheduleRole",
            Self::Readiness => "ReadinessScheduleRole",
        }
    }
}

/// The state of an alarm, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// All is well.
    Ok,
    /// It rings.
    Alarm,
    /// Nothing was measured.
    InsufficientData,
}

impl AlarmState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// How far a subscription to a topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Subscription {
    /// It hears what the topic says.
    Confirmed,
    /// It hears nothing until it is confirmed.
    Pending,
}

/// A queue of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadLetters {
    /// Of AWS's news.
    News,
    /// Of mails to buyers.
    Mail,
    /// Of runs of the reporter and the reconciliation.
    Run,
}

impl DeadLetters {
    pub(crate) const ALL: [Self; 3] = [Self::News, Self::Mail, Self::Run];

    /// The queue's name.
    pub(super) fn queue(self, stack: &str) -> String {
        let of = match self {
            Self::News => "news",
            Self::Mail => "mail",
            Self::Run => "run",
        };
        format!("{stack}-{of}{}", super::queues::DEAD_LETTERS)
    }
}

/// A log group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLog {
    /// For how many days it keeps what is written; none for ever.
    pub retention_days: Option<u32>,
}

impl Wiring {
    /// As the template deploys it for these listings.
    pub(crate) fn deployed(listings: &[Listing]) -> Self {
        let topics = listings.iter().flat_map(topics);
        Self {
            rule: Some(Rule { state: State::Enabled, pattern: bus::news_pattern(), has_target: true }),
            schedules: Schedule::ALL.map(|schedule| (schedule, State::Enabled)).into(),
            alarms: template::alarms().map(|alarm| (alarm.to_owned(), AlarmState::Ok)).collect(),
            mute_alarms: BTreeSet::new(),
            subscriptions: topics.map(|topic| (topic_name(&topic).to_owned(), Subscription::Confirmed)).collect(),
            dead_letters: DeadLetters::ALL.map(|queue| (queue, 0)).into(),
            point_in_time_recovery: true,
            audit_log: Some(AuditLog { retention_days: Some(template::AUDIT_RETENTION) }),
        }
    }

    /// The same after a merge patch (RFC 7396), for a stack that was deployed so.
    ///
    /// # Errors
    ///
    /// Refuses what a stack does not have, and values that AWS does not know.
    pub(crate) fn patched(&self, patch: Map<String, Value>, deployed: &Self) -> Result<Self, Refused> {
        let refused = |problem: String| Refused::WiringInvalid { problem };
        let before = serde_json::to_value(self).map_err(|error| refused(error.to_string()))?;
        let Value::Object(mut members) = before else { return Err(refused("the wiring is no object".to_owned())) };
        merge_patch(&mut members, patch);
        let wiring: Self = serde_json::from_value(members.into()).map_err(|error| refused(error.to_string()))?;
        wiring.check(deployed).map_err(refused)?;
        Ok(wiring)
    }

    fn check(&self, deployed: &Self) -> Result<(), String> {
        known("alarm", &self.alarms, &deployed.alarms)?;
        known("alarm", &self.mute_alarms.iter().map(|alarm| (alarm.clone(), ())).collect(), &deployed.alarms)?;
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

    /// Whether a schedule is on.
    pub(crate) fn runs(&self, schedule: Schedule) -> bool {
        self.schedules.get(&schedule) == Some(&State::Enabled)
    }

    /// Whether a piece of news comes through.
    pub(crate) fn hears(&self, news: &News) -> bool {
        match news {
            News::EventBridge(event) => self.rule.as_ref().is_some_and(|rule| {
                rule.state == State::Enabled && rule.has_target && bus::matches(&rule.pattern, event) == Some(true)
            }),
            News::Sns { topic_arn, .. } => {
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

/// The name of a topic, at the end of its ARN.
pub(super) fn topic_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}
