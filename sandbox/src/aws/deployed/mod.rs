//! The stacks that are deployed in the account. An operator's commands ask for them: STS returns the account,
//! CloudFormation the names of its stacks, SQS their dead letters, and Lambda runs the reconciliation. The auditor asks
//! for the parts that it judges by the [`Wiring`]: EventBridge returns the rule and its Scheduler the schedules,
//! CloudWatch the alarms and the audit log, SNS the subscriptions to AWS's topics, DynamoDB the backups of the table.

mod backups;
mod cloudformation;
mod cloudwatch;
mod eventbridge;
mod lambda;
mod logs;
mod names;
mod queues;
mod scheduler;
mod subscriptions;
mod template;
mod wiring;

use std::sync::{Arc, Mutex, OnceLock};

use http::HeaderMap;
use jiff::Timestamp;

use super::error::ServiceError;
use super::protocol::{Document, Record};
use super::service::Service;
use crate::event::Caller;
use crate::stack::Stack;
use queues::MoveTask;

pub(super) use lambda::Invoked;
pub use names::DeployedNames;
pub use wiring::{AlarmState, AuditLog, DeadLetters, Rule, Schedule, State, Subscription, Wiring};

/// The stacks of the account; none before they are set up.
#[derive(Debug, Default)]
pub(crate) struct Deployed {
    stacks: OnceLock<Stacks>,
    /// The moves of dead letters, oldest first.
    moved: Mutex<Vec<MoveTask>>,
}

#[derive(Debug)]
struct Stacks {
    /// The endpoint URL of this AWS.
    url: String,
    account: String,
    /// The time at which the stacks were set up.
    since: Timestamp,
    stacks: Vec<Arc<Stack>>,
}

impl Deployed {
    /// Sets up the stacks, once.
    pub(super) fn set_up(&self, url: &str, account: &str, since: Timestamp, stacks: Vec<Arc<Stack>>) {
        let all = Stacks { url: url.to_owned(), account: account.to_owned(), since, stacks };
        if self.stacks.set(all).is_err() {
            tracing::error!("the stacks were set up before");
        }
    }

    /// Answers a call of any of these services except Lambda.
    pub(super) fn answer(
        &self,
        (service, operation): (Service, &str),
        headers: &HeaderMap,
        request: &Document,
        now: Timestamp,
    ) -> Result<Document, ServiceError> {
        if !service.operations().contains(&operation) {
            return Err(ServiceError::unknown_operation());
        }
        let all = self.stacks.get().ok_or_else(|| ServiceError::internal(service))?;
        match (service, operation) {
            (Service::Sts, "GetCallerIdentity") => all.caller(headers),
            (Service::CloudFormation, "DescribeStacks") => all.describe_stacks(request),
            (Service::CloudFormation, "DescribeStackResource") => all.describe_stack_resource(request),
            (Service::EventBridge, "DescribeRule") => all.describe_rule(request),
            (Service::EventBridge, "ListTargetsByRule") => all.list_targets_by_rule(request),
            (Service::Scheduler, "GetSchedule") => all.get_schedule(request),
            (Service::CloudWatch, "DescribeAlarms") => all.describe_alarms(request),
            (Service::Logs, "DescribeLogGroups") => all.describe_log_groups(request),
            (Service::Sns, "GetSubscriptionAttributes") => all.subscription_attributes(request),
            (Service::DynamoDb, "DescribeContinuousBackups") => all.continuous_backups(request, now),
            (Service::Sqs, "GetQueueAttributes") => all.queue_attributes(request, now),
            (Service::Sqs, "ReceiveMessage") => all.receive_message(request, now),
            (Service::Sqs, "ChangeMessageVisibilityBatch") => all.change_visibility(request, now),
            (Service::Sqs, "StartMessageMoveTask") => self.start_move(all, request, now),
            (Service::Sqs, "ListMessageMoveTasks") => self.list_moves(all, request),
            _ => Err(ServiceError::unknown_operation()),
        }
    }

    /// Answers a call of Lambda.
    pub(super) async fn invoke(
        &self,
        function: &str,
        headers: &HeaderMap,
        payload: &Document,
    ) -> Result<Invoked, ServiceError> {
        let all = self.stacks.get().ok_or_else(|| ServiceError::internal(Service::Lambda))?;
        all.invoke(function, headers, payload).await
    }
}

impl Stacks {
    fn caller(&self, headers: &HeaderMap) -> Result<Document, ServiceError> {
        let caller =
            Caller::read(headers).ok_or_else(|| ServiceError::access_denied(Service::Sts, "GetCallerIdentity"))?;
        let result = Record::new()
            .with("Account", self.account.as_str())
            .with("Arn", caller.arn(&self.account))
            .with("UserId", caller.user_id());
        Ok(Record::new().with("GetCallerIdentityResult", Document::from(result)).into())
    }
}

/// Returns a member of a request that is a text.
fn text<'a>(request: &'a Document, name: &str) -> Option<&'a str> {
    match request {
        Document::Map(members) => match members.get(name)? {
            Document::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a member of a request that is a list.
fn list<'a>(request: &'a Document, name: &str) -> Option<&'a [Document]> {
    match request {
        Document::Map(members) => match members.get(name)? {
            Document::List(values) => Some(values),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a member of a request that is a whole number.
fn number(request: &Document, name: &str) -> Option<i64> {
    match request {
        Document::Map(members) => match members.get(name)? {
            Document::Integer(number) => Some(*number),
            _ => None,
        },
        _ => None,
    }
}
