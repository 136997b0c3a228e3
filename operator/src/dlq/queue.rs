//! A queue at SQS, as an operator sees it.

use std::collections::BTreeMap;

use anyhow::bail;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName};
use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::terminal::note_line;

use super::kind::kind;
use crate::failure::Failure;

/// For how long a message is out of sight while it is looked at, in seconds, so that the next receive brings others. It is
/// shown again after the look; this is for a look that breaks off.
pub(super) const HIDDEN: i32 = 5;

/// How often a queue is asked for messages at most, for ten each time.
const LOOKS: usize = 10;

/// How long SQS waits for messages, in seconds: with that it asks all of its servers, and not some.
const WAIT: i32 = 1;

pub(crate) struct Queue<'a> {
    client: &'a Client,
    name: &'a str,
    url: &'a str,
}

/// How many messages there are.
pub(crate) struct Counted {
    pub(crate) arn: String,
    /// In sight or not.
    pub(crate) messages: u64,
    /// How many of them are out of sight.
    pub(super) hidden: u64,
}

/// A message, without what it says.
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
    /// When it began, in milliseconds since 1970.
    pub(super) started: i64,
    pub(super) moved: i64,
    pub(super) of: i64,
    pub(super) stands: Stands,
}

/// How a move stands.
#[derive(Debug)]
pub(super) enum Stands {
    Running,
    Completed,
    /// It failed or was stopped, and this is why.
    Failed(String),
}

impl<'a> Queue<'a> {
    /// `name` is the template's.
    pub(crate) fn new(client: &'a Client, name: &'a str, url: &'a str) -> Self {
        Self { client, name, url }
    }

    /// How many messages there are.
    pub(crate) async fn counted(&self) -> anyhow::Result<Counted> {
        let asked = self.client.get_queue_attributes().queue_url(self.url).attribute_names(QueueAttributeName::All);
        let answer = asked.send().await.map_err(|error| self.failed("sqs:GetQueueAttributes", &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|number: &String| number.parse::<u64>().ok());
        let visible = number(QueueAttributeName::ApproximateNumberOfMessages);
        let hidden = number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        let arn = attributes.get(&QueueAttributeName::QueueArn).cloned();
        let (Some(arn), Some(visible)) = (arn, visible) else { bail!("SQS does not say how much is in {}", self.name) };
        let hidden = hidden.unwrap_or_default();
        Ok(Counted { arn, messages: visible + hidden, hidden })
    }

    /// Messages of the queue, up to a hundred. They stay there, in sight for whoever looks next.
    pub(super) async fn look(&self) -> anyhow::Result<Vec<DeadLetter>> {
        let mut handles = Vec::new();
        let looked = self.receive(&mut handles).await;
        self.show_again(&handles).await;
        looked
    }

    /// Receives messages until no more are in sight, with the handles of all that were received.
    async fn receive(&self, handles: &mut Vec<String>) -> anyhow::Result<Vec<DeadLetter>> {
        let mut letters = BTreeMap::new();
        for _ in 0..LOOKS {
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

    /// Brings messages that were received back into sight. Those that it cannot bring back come by themselves, in
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
                note_line(format_args!("{error} What was looked at is in sight again after {HIDDEN} seconds"));
                return;
            }
        }
    }

    /// Begins to move its messages.
    pub(super) async fn start_move(&self, from: &str, to: &str, per_second: i32) -> anyhow::Result<()> {
        let asked = self.client.start_message_move_task().source_arn(from).destination_arn(to);
        let started = asked.max_number_of_messages_per_second(per_second).send().await;
        let permissions = "sqs:StartMessageMoveTask, and on both queues sqs:ReceiveMessage, sqs:DeleteMessage and \
                           sqs:SendMessage";
        started.map(|_| ()).map_err(|error| self.failed(permissions, &error))
    }

    /// The newest move of its messages, if there was one.
    pub(super) async fn newest_move(&self, arn: &str) -> anyhow::Result<Option<Move>> {
        let asked = self.client.list_message_move_tasks().source_arn(arn).max_results(1);
        let answer = asked.send().await.map_err(|error| self.failed("sqs:ListMessageMoveTasks", &error))?;
        let Some(task) = answer.results.unwrap_or_default().into_iter().next() else { return Ok(None) };
        let moved = task.approximate_number_of_messages_moved;
        let of = task.approximate_number_of_messages_to_move.unwrap_or(moved);
        let stands = match task.status.as_deref().unwrap_or_default() {
            "RUNNING" | "CANCELLING" => Stands::Running,
            "COMPLETED" => Stands::Completed,
            other => Stands::Failed(task.failure_reason.unwrap_or_else(|| format!("it is {other}"))),
        };
        Ok(Some(Move { started: task.started_timestamp, moved, of, stands }))
    }

    fn failed(&self, permissions: &str, error: &(dyn std::error::Error + 'static)) -> anyhow::Error {
        let error = Failure::of(error);
        anyhow::anyhow!("SQS does not do it for {}: {error}. Do the credentials allow {permissions}?", self.name)
    }
}
