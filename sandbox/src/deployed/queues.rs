//! The stacks' queues, as SQS describes them: the number of messages, the dead letters, and their redrive.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use local_aws::host::{Document, Record, ServiceError};

use super::stacks::{Stacks, list, number, text};
use crate::queue::{DeadLetter, Queue, uuid};
use crate::wiring::{DEAD_LETTERS, queue_url};

/// The default visibility timeout of a message in SQS, in seconds.
const HIDDEN: i64 = 30;

/// A move of dead letters back to their queue. It moves all of them immediately.
#[derive(Debug, Clone)]
struct MoveTask {
    source: String,
    destination: String,
    moved: i64,
    started: Timestamp,
}

/// The moves of dead letters, oldest first.
#[derive(Debug, Default)]
pub(super) struct MoveTasks(Mutex<Vec<MoveTask>>);

/// The two queues behind one name: the queue itself and its dead-letter queue.
enum Side {
    Waiting,
    Dead,
}

impl Stacks {
    /// Returns the number of messages. The answer has all attributes, whichever are requested.
    pub(super) fn queue_attributes(&self, request: &Document, now: Timestamp) -> Result<Document, ServiceError> {
        let url = text(request, "QueueUrl").unwrap_or_default();
        let (queue, side) = self.queue(url)?;
        let (visible, hidden, arn) = match side {
            Side::Dead => {
                let (visible, hidden) = queue.dead_letter_counts(now);
                (visible, hidden, dead_letters_arn(queue))
            }
            Side::Waiting => {
                let overview = queue.overview();
                (overview.waiting, overview.in_flight, queue.arn().to_owned())
            }
        };
        let attributes = Record::new()
            .with("ApproximateNumberOfMessages", visible.to_string())
            .with("ApproximateNumberOfMessagesNotVisible", hidden.to_string())
            .with("ApproximateNumberOfMessagesDelayed", "0")
            .with("QueueArn", arn);
        Ok(Record::new().with("Attributes", Document::from(attributes)).into())
    }

    /// Returns dead letters. Other messages of a queue go to its function only.
    pub(super) fn receive_message(&self, request: &Document, now: Timestamp) -> Result<Document, ServiceError> {
        let (queue, side) = self.queue(text(request, "QueueUrl").unwrap_or_default())?;
        if matches!(side, Side::Waiting) {
            let message = "The sandbox hands the messages of this queue to its function alone.";
            return Err(ServiceError::modelled("UnsupportedOperation", 400, message));
        }
        let most = number(request, "MaxNumberOfMessages").unwrap_or(1);
        let most = usize::try_from(most).ok().filter(|most| (1..=10).contains(most)).ok_or_else(|| {
            invalid(
                "Value for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
            )
        })?;
        let hidden = number(request, "VisibilityTimeout").unwrap_or(HIDDEN).clamp(0, 43_200);
        let messages = queue.receive_dead_letters(now, most, SignedDuration::from_secs(hidden));
        Ok(Record::new().with("Messages", messages.iter().map(message).collect::<Vec<_>>()).into())
    }

    /// Changes the visibility timeout of dead letters that were received. Each entry has a result of its own.
    pub(super) fn change_visibility(&self, request: &Document, now: Timestamp) -> Result<Document, ServiceError> {
        let (queue, side) = self.queue(text(request, "QueueUrl").unwrap_or_default())?;
        let entries = list(request, "Entries").unwrap_or_default();
        if entries.is_empty() {
            let message = "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.";
            return Err(ServiceError::modelled("EmptyBatchRequest", 400, message));
        }
        if entries.len() > 10 {
            let message = "Maximum number of entries per request are 10.";
            return Err(ServiceError::modelled("TooManyEntriesInBatchRequest", 400, message));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = text(entry, "Id").unwrap_or_default();
            let hidden = number(entry, "VisibilityTimeout").unwrap_or(0).clamp(0, 43_200);
            let handle = text(entry, "ReceiptHandle").and_then(|handle| handle.split_once('#'));
            let handle = handle.and_then(|(id, receive)| Some((id, receive.parse().ok()?)));
            let is_done = handle.is_some_and(|handle| {
                matches!(side, Side::Dead)
                    && queue.change_dead_letter_visibility(handle, now, SignedDuration::from_secs(hidden))
            });
            if is_done {
                successful.push(Record::new().with("Id", id));
            } else {
                let why = Record::new().with("Id", id).with("SenderFault", true).with("Code", "ReceiptHandleIsInvalid");
                failed.push(why.with("Message", "The input receipt handle is invalid."));
            }
        }
        Ok(Record::new().with("Successful", successful).with("Failed", failed).into())
    }

    /// Returns a queue by its URL or its ARN.
    fn queue(&self, address: &str) -> Result<(&Queue, Side), ServiceError> {
        let name = name(address);
        let queues = self.stacks.iter().flat_map(|stack| [&stack.queue, &stack.mail, &stack.runs]);
        let mut sides = queues.flat_map(|queue| [(queue, Side::Waiting), (queue, Side::Dead)]);
        let found = sides.find(|(queue, side)| match side {
            Side::Waiting => self::name(queue.arn()) == name,
            Side::Dead => name.strip_suffix(DEAD_LETTERS) == Some(self::name(queue.arn())),
        });
        found.ok_or_else(|| ServiceError::modelled("QueueDoesNotExist", 400, "The specified queue does not exist."))
    }

    pub(super) fn queue_url(&self, arn: &str) -> String {
        queue_url(&self.url, &self.account, name(arn))
    }

    pub(super) fn dead_letters_url(&self, queue: &Queue) -> String {
        self.queue_url(&dead_letters_arn(queue))
    }
}

impl MoveTasks {
    /// Moves the dead letters back to their queue.
    pub(super) fn start_move(
        &self,
        all: &Stacks,
        request: &Document,
        now: Timestamp,
    ) -> Result<Document, ServiceError> {
        let source = text(request, "SourceArn").unwrap_or_default();
        let (queue, side) = all.queue(source).map_err(|_| not_found())?;
        if matches!(side, Side::Waiting) {
            return Err(invalid("Source queue must be configured as a Dead Letter Queue."));
        }
        let destination = text(request, "DestinationArn").unwrap_or(queue.arn());
        if destination != queue.arn() {
            return Err(invalid("The sandbox moves dead letters back to the queue that they come from."));
        }
        let moved = i64::try_from(queue.redrive(now)).unwrap_or(i64::MAX);
        let task = MoveTask { source: source.to_owned(), destination: destination.to_owned(), moved, started: now };
        self.lock().push(task);
        Ok(Record::new().with("TaskHandle", uuid()).into())
    }

    /// Returns the newest moves from a queue, newest first.
    pub(super) fn list_moves(&self, all: &Stacks, request: &Document) -> Result<Document, ServiceError> {
        let source = text(request, "SourceArn").unwrap_or_default();
        all.queue(source).map_err(|_| not_found())?;
        let most = usize::try_from(number(request, "MaxResults").unwrap_or(1)).unwrap_or(1).clamp(1, 10);
        let moved = self.lock();
        let tasks = moved.iter().rev().filter(|task| task.source == source).take(most);
        let results: Vec<Record> = tasks
            .map(|task| {
                Record::new()
                    .with("Status", "COMPLETED")
                    .with("SourceArn", task.source.as_str())
                    .with("DestinationArn", task.destination.as_str())
                    .with("ApproximateNumberOfMessagesMoved", task.moved)
                    .with("ApproximateNumberOfMessagesToMove", task.moved)
                    .with("StartedTimestamp", task.started.as_millisecond())
            })
            .collect();
        Ok(Record::new().with("Results", results).into())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<MoveTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(letter: &DeadLetter) -> Record {
    let attributes = Record::new()
        .with("SentTimestamp", letter.sent.as_millisecond().to_string())
        .with("ApproximateReceiveCount", letter.receives.to_string());
    Record::new()
        .with("MessageId", letter.message_id.as_str())
        .with("ReceiptHandle", format!("{}#{}", letter.message_id, letter.receives))
        .with("Body", letter.body.as_str())
        .with("MD5OfBody", format!("{:x}", md5::compute(&letter.body)))
        .with("Attributes", Document::from(attributes))
}

pub(super) fn dead_letters_arn(queue: &Queue) -> String {
    format!("{}{DEAD_LETTERS}", queue.arn())
}

/// Returns the name at the end of a URL or an ARN.
fn name(address: &str) -> &str {
    address.rsplit(['/', ':']).next().unwrap_or_default()
}

fn invalid(message: &str) -> ServiceError {
    ServiceError { modelled: false, ..ServiceError::modelled("InvalidParameterValue", 400, message) }
}

fn not_found() -> ServiceError {
    ServiceError::modelled(
        "ResourceNotFoundException",
        404,
        "The resource that you specified for the SourceArn parameter doesn't exist.",
    )
}
