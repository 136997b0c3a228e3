//! The stack itself, as AWS describes its resources.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::{AlarmType, MetricAlarm, StateValue};
use aws_sdk_dynamodb::types::PointInTimeRecoveryStatus;
use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_scheduler::types::ScheduleState;
use aws_sdk_sns::operation::get_subscription_attributes::GetSubscriptionAttributesOutput;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::evidence::ObservedPermission;
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use readiness_checks::{
    AlarmState, Observation, ObservedAlarm, ObservedLog, ObservedQueue, ObservedRule, ObservedSchedule, ObservedStack,
    ObservedSubscription, SubscriptionState, Unobserved, terms,
};

use crate::deployment::{Deployment, Schedule};
use crate::query::observe;

/// The AWS clients that check a stack.
#[derive(Debug)]
pub(crate) struct StackClients {
    alarms: aws_sdk_cloudwatch::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    rules: aws_sdk_eventbridge::Client,
    schedules: aws_sdk_scheduler::Client,
    tables: aws_sdk_dynamodb::Client,
    topics: aws_sdk_sns::Client,
    queues: aws_sdk_sqs::Client,
}

impl StackClients {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self {
            alarms: aws_sdk_cloudwatch::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            rules: aws_sdk_eventbridge::Client::new(config),
            schedules: aws_sdk_scheduler::Client::new(config),
            tables: aws_sdk_dynamodb::Client::new(config),
            topics: aws_sdk_sns::Client::new(config),
            queues: aws_sdk_sqs::Client::new(config),
        }
    }

    /// Gathers the facts about all resources concurrently, and what the functions recorded in the table: when they last
    /// ran, by the name of the scheduled run, and what AWS allowed them.
    pub(crate) async fn observe(
        &self,
        deployment: &Deployment,
        table: &str,
        runs: impl Future<Output = Observation<BTreeMap<String, Timestamp>>>,
        outcomes: impl Future<Output = Observation<Vec<ObservedPermission>>>,
    ) -> ObservedStack {
        let (rules, subscriptions, dead_letters, schedules, runs, alarms, permissions, recovery, audit_log) = tokio::join!(
            self.rules(&deployment.marketplace_events_rule, &deployment.marketplace_events_queue),
            self.subscriptions(&deployment.subscriptions),
            self.dead_letters(&deployment.dead_letters),
            self.schedules(&deployment.schedules),
            runs,
            self.alarms(&deployment.stack, &deployment.alarms),
            outcomes,
            self.point_in_time_recovery(table),
            self.audit_log(&deployment.audit_log),
        );
        let schedules = schedules.map(|found| {
            let with_runs = found.into_iter().zip(&deployment.schedules);
            with_runs.map(|(is_enabled, schedule)| observed_schedule(schedule, is_enabled, &runs)).collect()
        });
        ObservedStack {
            rules,
            subscriptions,
            dead_letters,
            schedules,
            alarms,
            permissions,
            point_in_time_recovery: recovery,
            audit_log,
        }
    }

    async fn rules(&self, name: &str, queue: &str) -> Observation<Vec<ObservedRule>> {
        let source = "EventBridge";
        let (rule, targets) = tokio::join!(
            observe(source, "events:DescribeRule", async {
                match self.rules.describe_rule().name(name).send().await {
                    Ok(rule) => Ok(Some(rule)),
                    Err(error)
                        if is_gone(error.as_service_error(), |error| error.is_resource_not_found_exception()) =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }),
            observe(source, "events:ListTargetsByRule", async {
                match self.rules.list_targets_by_rule().rule(name).send().await {
                    Ok(targets) => Ok(targets.targets().iter().any(|target| target.arn() == queue)),
                    Err(error)
                        if is_gone(error.as_service_error(), |error| error.is_resource_not_found_exception()) =>
                    {
                        Ok(false)
                    }
                    Err(error) => Err(error),
                }
            }),
        );
        let Some(rule) = rule? else { return Ok(Vec::new()) };
        let pattern = serde_json::from_str(rule.event_pattern().unwrap_or("{}"));
        let unreadable =
            |_| Unobserved::Unreachable { source: source.to_owned(), reason: terms::INVALID_PATTERN.to_owned() };
        Ok(vec![ObservedRule {
            name: name.to_owned(),
            is_enabled: rule.state() == Some(&RuleState::Enabled),
            pattern: pattern.map_err(unreadable)?,
            has_target: targets?,
        }])
    }

    async fn subscriptions(&self, arns: &[String]) -> Observation<Vec<ObservedSubscription>> {
        let there = arns.iter().filter(|arn| !arn.is_empty());
        try_join_all(there.map(|arn| self.subscription(arn).boxed())).await
    }

    async fn subscription(&self, arn: &str) -> Observation<ObservedSubscription> {
        let asked = async {
            match self.topics.get_subscription_attributes().subscription_arn(arn).send().await {
                Ok(found) if attribute(&found, "PendingConfirmation") == Some("false") => {
                    Ok(SubscriptionState::Confirmed)
                }
                Ok(_) => Ok(SubscriptionState::Pending),
                Err(error) if is_gone(error.as_service_error(), |error| error.is_not_found_exception()) => {
                    Ok(SubscriptionState::Deleted)
                }
                Err(error) => Err(error),
            }
        };
        let state = observe("SNS", "sns:GetSubscriptionAttributes", asked).await?;
        // A subscription's ARN is its topic's ARN, followed by an id.
        let topic = arn.rsplit(':').nth(1).unwrap_or(arn).to_owned();
        Ok(ObservedSubscription { topic, state })
    }

    async fn dead_letters(&self, urls: &[String]) -> Observation<Vec<ObservedQueue>> {
        try_join_all(urls.iter().map(|url| self.queue(url).boxed())).await
    }

    async fn queue(&self, url: &str) -> Observation<ObservedQueue> {
        // A message in flight is still in the queue.
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self.queues.get_queue_attributes().queue_url(url);
        let request = request.set_attribute_names(Some(counts.clone().into()));
        let asked = async {
            match request.send().await {
                Ok(found) => Ok(Some(found)),
                Err(error) if is_gone(error.as_service_error(), |error| error.is_queue_does_not_exist()) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let name = url.rsplit('/').next().unwrap_or(url).to_owned();
        let Some(found) = observe("SQS", "sqs:GetQueueAttributes", asked).await? else {
            return Ok(ObservedQueue { name, messages: None });
        };
        let count = |name| found.attributes().and_then(|known| known.get(name)?.parse::<u64>().ok());
        let [Some(waiting), Some(taken)] = counts.each_ref().map(count) else {
            return Err(Unobserved::Unreachable { source: "SQS".to_owned(), reason: terms::NO_COUNT.to_owned() });
        };
        Ok(ObservedQueue { name, messages: Some(waiting.saturating_add(taken)) })
    }

    /// Returns `true` for each schedule that is enabled.
    async fn schedules(&self, schedules: &[Schedule]) -> Observation<Vec<bool>> {
        try_join_all(schedules.iter().map(|schedule| self.schedule(&schedule.name).boxed())).await
    }

    async fn schedule(&self, name: &str) -> Observation<bool> {
        let asked = async {
            match self.schedules.get_schedule().name(name).send().await {
                // A schedule that does not exist runs nothing either.
                Ok(found) => Ok(found.state() == Some(&ScheduleState::Enabled)),
                Err(error) if is_gone(error.as_service_error(), |error| error.is_resource_not_found_exception()) => {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        };
        observe("EventBridge Scheduler", "scheduler:GetSchedule", asked).await
    }

    async fn alarms(&self, stack: &str, wanted: &[String]) -> Observation<Vec<ObservedAlarm>> {
        let asked = async {
            let mut pages = self
                .alarms
                .describe_alarms()
                .alarm_name_prefix(format!("{stack}-"))
                .alarm_types(AlarmType::MetricAlarm)
                .into_paginator()
                .send();
            let mut alarms = Vec::new();
            while let Some(page) = pages.next().await {
                alarms.extend(page?.metric_alarms.unwrap_or_default());
            }
            Ok::<_, aws_sdk_cloudwatch::error::SdkError<_>>(alarms)
        };
        let alarms = observe("CloudWatch", "cloudwatch:DescribeAlarms", asked).await?;
        Ok(wanted.iter().map(|id| observed_alarm(stack, id, &alarms)).collect())
    }

    async fn point_in_time_recovery(&self, table: &str) -> Observation<bool> {
        let asked = self.tables.describe_continuous_backups().table_name(table).send();
        let found = observe("DynamoDB", "dynamodb:DescribeContinuousBackups", asked).await?;
        let backups = found.continuous_backups_description();
        let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description());
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status());
        Ok(status == Some(&PointInTimeRecoveryStatus::Enabled))
    }

    async fn audit_log(&self, name: &str) -> Observation<Option<ObservedLog>> {
        let asked = self.logs.describe_log_groups().log_group_name_prefix(name).send();
        let found = observe("CloudWatch Logs", "logs:DescribeLogGroups", asked).await?;
        let group = found.log_groups().iter().find(|group| group.log_group_name() == Some(name));
        Ok(group.map(|group| ObservedLog {
            name: name.to_owned(),
            kept_days: group.retention_in_days().and_then(|days| u32::try_from(days).ok()),
        }))
    }
}

fn attribute<'a>(found: &'a GetSubscriptionAttributesOutput, name: &str) -> Option<&'a str> {
    found.attributes().and_then(|known| known.get(name)).map(String::as_str)
}

/// Returns the state of an alarm, by its logical id in the template. CloudFormation puts the stack's name before that
/// id and a suffix after it.
fn observed_alarm(stack: &str, id: &str, alarms: &[MetricAlarm]) -> ObservedAlarm {
    let is_it = |name: &str| {
        let rest = name.strip_prefix(stack).and_then(|name| name.strip_prefix('-')?.strip_prefix(id));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let alarm = alarms.iter().find(|alarm| alarm.alarm_name().is_some_and(is_it));
    let state = match alarm {
        None => AlarmState::Missing,
        Some(alarm) if alarm.state_value() == Some(&StateValue::Alarm) => AlarmState::InAlarm,
        Some(alarm) if alarm.actions_enabled() == Some(false) => AlarmState::ActionsDisabled,
        Some(_) => AlarmState::Active,
    };
    ObservedAlarm { name: alarm.and_then(MetricAlarm::alarm_name).unwrap_or(id).to_owned(), state }
}

fn observed_schedule(
    schedule: &Schedule,
    is_enabled: bool,
    runs: &Observation<BTreeMap<String, Timestamp>>,
) -> ObservedSchedule {
    ObservedSchedule {
        name: schedule.name.clone(),
        is_enabled,
        max_interval: Duration::from_secs(schedule.max_interval_minutes.saturating_mul(60)),
        last_run: runs.as_ref().map(|runs| runs.get(&schedule.runs).copied()).map_err(Clone::clone),
    }
}

/// Returns `true` if AWS reported that the resource does not exist.
fn is_gone<E>(error: Option<&E>, is_gone: impl FnOnce(&E) -> bool) -> bool {
    error.is_some_and(is_gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_found_by_its_logical_id_and_its_own_stack() {
        let alarm = |name: &str, state: StateValue, actions_enabled: bool| {
            MetricAlarm::builder().alarm_name(name).state_value(state).actions_enabled(actions_enabled).build()
        };
        let (ok, in_alarm, insufficient_data) = (StateValue::Ok, StateValue::Alarm, StateValue::InsufficientData);
        for (found, wanted) in [
            (alarm("shop-PausedAlarm-1ABC", ok.clone(), true), AlarmState::Active),
            (alarm("shop-PausedAlarm-1ABC", insufficient_data, true), AlarmState::Active),
            (alarm("shop-PausedAlarm", ok.clone(), true), AlarmState::Active),
            (alarm("shop-PausedAlarm-1ABC", in_alarm.clone(), true), AlarmState::InAlarm),
            (alarm("shop-PausedAlarm-1ABC", in_alarm, false), AlarmState::InAlarm),
            (alarm("shop-PausedAlarm-1ABC", ok.clone(), false), AlarmState::ActionsDisabled),
            (alarm("shop-PausedAlarmOld-1ABC", ok.clone(), true), AlarmState::Missing),
            (alarm("shop-two-PausedAlarm-1ABC", ok, true), AlarmState::Missing),
        ] {
            let name = found.alarm_name().unwrap().to_owned();
            let is_there = wanted != AlarmState::Missing;
            let wanted = ObservedAlarm { name: if is_there { name } else { "PausedAlarm".to_owned() }, state: wanted };
            assert_eq!(observed_alarm("shop", "PausedAlarm", &[found]), wanted);
        }
    }
}
