//! The stacks that are deployed in the account, as the host of the local AWS answers for them. An operator's commands ask
//! for them: CloudFormation returns the names of the account's stacks, SQS their dead letters, and Lambda runs the
//! reconciliation. The auditor asks for the parts that it judges by the [`Wiring`](crate::wiring::Wiring): EventBridge
//! returns the rule and its Scheduler the schedules, CloudWatch the alarms and the audit log, SNS the subscriptions to
//! AWS's topics, DynamoDB the backups of the table.

mod backups;
mod cloudformation;
mod cloudwatch;
mod eventbridge;
mod lambda;
mod logs;
mod queues;
mod scheduler;
mod stacks;
mod subscriptions;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use local_aws::host::{HostCall, HostReply, HostService, Service, ServiceError};

use crate::stack::Stack;
use queues::MoveTasks;
use stacks::Stacks;

/// The stacks of the account; none before they are set up.
#[derive(Debug, Default)]
pub(crate) struct Deployed {
    stacks: OnceLock<Stacks>,
    moved: MoveTasks,
}

impl Deployed {
    /// Sets up the stacks, once.
    pub(crate) fn set_up(&self, url: &str, account: &str, since: Timestamp, stacks: Vec<Arc<Stack>>) {
        let all = Stacks { url: url.to_owned(), account: account.to_owned(), since, stacks };
        if self.stacks.set(all).is_err() {
            tracing::error!("the stacks were set up before");
        }
    }

    /// Returns the service that answers for the stacks.
    pub(crate) fn service(self: &Arc<Self>) -> HostService {
        let deployed = Arc::clone(self);
        HostService::new(tower::service_fn(move |call: HostCall| {
            let deployed = Arc::clone(&deployed);
            async move { deployed.answer(&call).await }
        }))
    }

    async fn answer(&self, call: &HostCall) -> Result<HostReply, ServiceError> {
        let HostCall { service, operation, function, headers, request, now } = call;
        let all = self.stacks.get().ok_or_else(|| ServiceError::internal(*service))?;
        let answer = match (service, operation.as_str()) {
            (Service::Lambda, "Invoke") => {
                return all.invoke(function.as_deref().unwrap_or_default(), headers, request).await;
            }
            (Service::CloudFormation, "DescribeStacks") => all.describe_stacks(request),
            (Service::CloudFormation, "DescribeStackResource") => all.describe_stack_resource(request),
            (Service::EventBridge, "DescribeRule") => all.describe_rule(request),
            (Service::EventBridge, "ListTargetsByRule") => all.list_targets_by_rule(request),
            (Service::Scheduler, "GetSchedule") => all.get_schedule(request),
            (Service::CloudWatch, "DescribeAlarms") => all.describe_alarms(request),
            (Service::Logs, "DescribeLogGroups") => all.describe_log_groups(request),
            (Service::Sns, "GetSubscriptionAttributes") => all.subscription_attributes(request),
            (Service::DynamoDb, "DescribeContinuousBackups") => all.continuous_backups(request, *now),
            (Service::Sqs, "GetQueueAttributes") => all.queue_attributes(request, *now),
            (Service::Sqs, "ReceiveMessage") => all.receive_message(request, *now),
            (Service::Sqs, "ChangeMessageVisibilityBatch") => all.change_visibility(request, *now),
            (Service::Sqs, "StartMessageMoveTask") => self.moved.start_move(all, request, *now),
            (Service::Sqs, "ListMessageMoveTasks") => self.moved.list_moves(all, request),
            _ => Err(ServiceError::unknown_operation()),
        };
        answer.map(HostReply::Answer)
    }
}
