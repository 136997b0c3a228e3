//! An SQS queue, as an operator sees it.

use std::collections::BTreeMap;

use anyhow::bail;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName};
use jiff::Timestamp;
use serde::Serialize;
use terminal::note_line;

use super::kind::kind;
use crate::failure::Failure;

/// The visibility timeout of a message while it is checked, in seconds, so that the next receive returns others. The
/// message is made visible again after the check; this is for a check that breaks off.
pub(super) const HIDDEN: i32 = 5;

/// The most receive calls for a queue, of ten messages each.
const RECEIVES_MAX: usize = 10;

/// The time that SQS waits for messages, in seconds (long polling): with it SQS queries all of its servers, and not
/// some.
const WAIT: i32 = 1;

pub(crate) struct Queue<'a> {
    client: &'a Client,
    name: &'a str,
    url: &'a str,
}

/// The number of messages in a queue.
pub(crate) struct Counted {
    pub(crate) arn: String,
    /// All messages, visible or not.
    pub(crate) messages: u64,
    /// The messages that are not visible.
    pub(super) hidden: u64,
}

/// A message, without its content.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetter {
    pub(super) message_id: String,
    pub(super) sent: Timestamp,
    pub(super) receives: u64,
    pub(super) kind: String,
}

/// A move of a queue's messages.
#[derive(Debug)]
pub(super) struct Move {
    /// The start, in milliseconds since 1970.
    pub(super) started: i64,
    pub(super) moved: i64,
    pub(super) of: i64,
    pub(super) status: MoveStatus,
}

/// The status of a move.
#[derive(Debug)]
pub(super) enum MoveStatus {
    Running,
    Completed,
    /// The move failed or was stopped, for this reason.
    Failed(String),
}

impl<'a> Queue<'a> {
    /// Creates a queue. `name` is its name in the template.
    pub(crate) fn new(client: &'a Client, name: &'a str, url: &'a str) -> Self {
        Self { client, name, url }
    }

    /// Counts the messages.
    pub(crate) async fn counted(&self) -> anyhow::Result<Counted> {
        let asked = self.client.get_queue_attributes().queue_url(self.url).attribute_names(QueueAttributeName::All);
        let answer = asked.send().await.map_err(|error| self.failed("sqs:GetQueueAttributes", &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|number: &String| number.parse::<u64>().ok());
        let visible = number(QueueAttributeName::ApproximateNumberOfMessages);
        let hidden = number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        let arn = attributes.get(&QueueAttributeName::QueueArn).cloned();
        let (Some(arn), Some(visible)) = (arn, visible) else {
            bail!("SQS does not return the number of messages in {}", self.name)
        };
        let hidden = hidden.unwrap_or_default();
        Ok(Counted { arn, messages: visible + hidden, hidden })
    }

    /// Returns up to a hundred messages of the queue. They stay there, and are visible again afterwards.
    pub(super) async fn peek(&self) -> anyhow::Result<Vec<DeadLetter>> {
        let mut handles = Vec::new();
        let letters = self.receive(&mut handles).await;
        self.show_again(&handles).await;
        letters
    }

    /// Receives messages until no more are visible, and adds the receipt handles of all of them to `handles`.
    async fn receive(&self, handles: &mut Vec<String>) -> anyhow::Result<Vec<DeadLetter>> {
        let mut letters = BTreeMap::new();
        for _ in 0..RECEIVES_MAX {
            let asked = self
                .client
                .receive_message()
                .queue_url(self.url)
                .max_number_of_messages(10)
                .visibility_timeout(HIDDEN)
                .wait_time_seconds(WAIT)
                .message_system_attribute_names(MessageSystemAttributeName::All);
            let answer = asked.send().await.map_err(|error| self.failed("sqs:ReceiveMessage", &error))?;
            let known = letters.len();
            for message in answer.messages.unwrap_or_default() {
                handles.extend(message.receipt_handle);
                let attributes = message.attributes.unwrap_or_default();
                let number = |name| attributes.get(&name).and_then(|number: &String| number.parse::<i64>().ok());
                let sent = number(MessageSystemAttributeName::SentTimestamp);
                let sent = sent.and_then(|sent| Timestamp::from_millisecond(sent).ok());
                let receives = number(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or_default();
                let Some((message_id, sent)) = message.message_id.zip(sent) else { continue };
                let kind = kind(message.body.as_deref().unwrap_or_default());
                let receives = receives.unsigned_abs();
                letters.insert(message_id.clone(), DeadLetter { message_id, sent, receives, kind });
            }
            if letters.len() == known {
                break;
            }
        }
        Ok(letters.into_values().collect())
    }

    /// Makes received messages visible again. Messages for which that fails become visible by themselves after
    /// [`HIDDEN`] seconds.
    async fn show_again(&self, handles: &[String]) {
        for handles in handles.chunks(10) {
            let entries = handles.iter().enumerate().map(|(number, handle)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(number.to_string());
                entry.receipt_handle(handle).visibility_timeout(0).build()
            });
            let Ok(entries) = entries.collect::<Result<Vec<_>, _>>() else { continue };
            let asked = self.client.change_message_visibility_batch().queue_url(self.url).set_entries(Some(entries));
            if let Err(error) = asked.send().await {
                let error = self.failed("sqs:ChangeMessageVisibility", &error);
                note_line(format_args!("{error} The messages are visible again after {HIDDEN} seconds."));
                return;
            }
        }
    }

    /// Starts a move of its messages.
    pub(super) async fn start_move(&self, from: &str, to: &str, per_second: i32) -> anyhow::Result<()> {
        let asked = self.client.start_message_move_task().source_arn(from).destination_arn(to);
        let started = asked.max_number_of_messages_per_second(per_second).send().await;
        let permissions = "sqs:StartMessageMoveTask, and on both queues sqs:ReceiveMessage, sqs:DeleteMessage and \
                           sqs:SendMessage";
        started.map(|_| ()).map_err(|error| self.failed(permissions, &error))
    }

    /// Returns the newest move of its messages; `None` if there was none.
    pub(super) async fn newest_move(&self, arn: &str) -> anyhow::Result<Option<Move>> {
        let asked = self.client.list_message_move_tasks().source_arn(arn).max_results(1);
        let answer = asked.send().await.map_err(|error| self.failed("sqs:ListMessageMoveTasks", &error))?;
        let Some(task) = answer.results.unwrap_or_default().into_iter().next() else { return Ok(None) };
        let moved = task.approximate_number_of_messages_moved;
        let of = task.approximate_number_of_messages_to_move.unwrap_or(moved);
        let status = match task.status.as_deref().unwrap_or_default() {
            "RUNNING" | "CANCELLING" => MoveStatus::Running,
            "COMPLETED" => MoveStatus::Completed,
            other => MoveStatus::Failed(task.failure_reason.unwrap_or_else(|| format!("it is {other}"))),
        };
        Ok(Some(Move { started: task.started_timestamp, moved, of, status }))
    }

    fn failed(&self, permissions: &str, error: &(dyn std::error::Error + 'static)) -> anyhow::Error {
        let error = Failure::of(error);
        anyhow::anyhow!(
            "SQS refuses a request for {}: {error}. Check that the credentials allow {permissions}.",
            self.name
        )
    }
}
