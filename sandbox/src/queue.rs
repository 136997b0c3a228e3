//! A queue of a stage with its dead-letter queue: SQS as a function sees it.
//!
//! A message whose batch failed, or that was reported as failed, is invisible for a time of the sandbox's clock and is
//! then delivered again; after a number of receives it becomes a dead letter. Standard queues promise neither order nor
//! single delivery, and this one can be made to break both.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ulid::Ulid;

/// The redelivery settings of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Redelivery {
    /// The visibility timeout of a message that was received.
    pub after: SignedDuration,
    /// The number of receives after which a message becomes a dead letter.
    pub most: u32,
}

impl Redelivery {
    /// The settings of the marketplace events queue, as in the template.
    pub const MARKETPLACE_EVENTS: Self = Self { after: SignedDuration::from_secs(90), most: 10 };
    /// The settings of the mail queue, as in the template.
    pub const MAIL: Self = Self { after: SignedDuration::from_mins(5), most: 40 };
}

/// The most messages of a batch.
const BATCH: usize = 10;

/// The most processed messages that a queue keeps, so that they can be delivered again.
const KEPT_PROCESSED: usize = 1000;

/// A queue and its dead letters.
#[derive(Debug)]
pub struct Queue {
    arn: String,
    redelivery: Redelivery,
    state: Mutex<QueueState>,
}

#[derive(Debug, Default)]
struct QueueState {
    held: bool,
    messages: Vec<Message>,
    dead: Vec<Message>,
    done: VecDeque<Message>,
    handles: u64,
}

#[derive(Debug, Clone)]
struct Message {
    id: String,
    body: String,
    sent: Timestamp,
    first_received: Option<Timestamp>,
    receives: u32,
    /// The handle of the newest receive; 0 before the first.
    handle: u64,
    /// The end of its visibility timeout; `None` while it waits.
    in_flight_until: Option<Timestamp>,
}

impl Message {
    fn new(body: String, sent: Timestamp) -> Self {
        Self { id: uuid(), body, sent, first_received: None, receives: 0, handle: 0, in_flight_until: None }
    }

    fn is_visible(&self, now: Timestamp) -> bool {
        self.in_flight_until.is_none_or(|until| until <= now)
    }

    fn dead_letter(&self) -> DeadLetter {
        let Self { id, body, sent, receives, .. } = self.clone();
        DeadLetter { message_id: id, sent, receives, body }
    }

    fn is_waiting(&self) -> bool {
        self.in_flight_until.is_none()
    }

    /// The same message as if it were delivered for the first time.
    fn redelivered(&self) -> Self {
        Self { first_received: None, receives: 0, in_flight_until: None, ..self.clone() }
    }
}

/// Messages that were received together.
#[derive(Debug)]
pub struct Batch {
    handles: HashSet<u64>,
    event: Value,
}

impl Batch {
    /// Returns the event that the function gets.
    ///
    /// # Errors
    ///
    /// Fails when `aws_lambda_events` cannot read it.
    pub fn event(&self) -> Result<SqsEvent, serde_json::Error> {
        SqsEvent::deserialize(&self.event)
    }
}

/// The state of a queue, as the control API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueOverview {
    /// `true` if it holds its messages back.
    pub held: bool,
    /// The number of messages that can be received.
    pub waiting: usize,
    /// The number of messages that were received and not deleted; they are delivered again after their visibility
    /// timeout.
    pub in_flight: usize,
    /// The messages in the dead-letter queue.
    pub dead_letters: Vec<DeadLetter>,
}

/// A message in the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The id that SQS gave it.
    pub message_id: String,
    /// The time at which it was sent to the queue.
    pub sent: Timestamp,
    /// The number of times that it was received.
    pub receives: u32,
    /// The text of the message.
    pub body: String,
}

impl Queue {
    /// Creates an empty queue with that ARN.
    pub fn new(arn: String, redelivery: Redelivery) -> Self {
        Self { arn, redelivery, state: Mutex::default() }
    }

    /// Puts a message on the queue. Its body may be any text.
    pub fn put(&self, body: String, sent: Timestamp) {
        self.lock().messages.push(Message::new(body, sent));
    }

    /// Receives the next messages, if there are any; messages that were received too often become dead letters.
    pub fn receive(&self, now: Timestamp) -> Option<Batch> {
        let mut state = self.lock();
        state.expire_visibility(now, self.redelivery.most);
        if state.held {
            return None;
        }
        let mut handles = HashSet::new();
        let mut records = Vec::new();
        let first_handle = state.handles + 1;
        for message in state.messages.iter_mut().filter(|message| message.is_waiting()).take(BATCH) {
            message.receives += 1;
            message.first_received.get_or_insert(now);
            message.in_flight_until = Some(now + self.redelivery.after);
            message.handle = first_handle + records.len() as u64;
            handles.insert(message.handle);
            records.push(record(message, &self.arn));
        }
        state.handles += records.len() as u64;
        (!records.is_empty()).then(|| Batch { handles, event: json!({ "Records": records }) })
    }

    /// Deletes the messages that the function has processed, as Lambda does: the whole batch except the messages that
    /// it reported as failed. No answer, or a report that names a message outside the batch, is a failure of the whole
    /// batch.
    pub fn finish(&self, batch: &Batch, answer: Option<SqsBatchResponse>) {
        let mut state = self.lock();
        let ids: HashSet<String> = state.of(batch).map(|message| message.id.clone()).collect();
        let Some(answer) = answer else { return };
        let failed: HashSet<String> =
            answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        if !failed.is_subset(&ids) {
            return;
        }
        let is_done = |message: &Message| batch.handles.contains(&message.handle) && !failed.contains(&message.id);
        let (done, kept) = std::mem::take(&mut state.messages).into_iter().partition(is_done);
        state.messages = kept;
        let done: Vec<Message> = done;
        state.done.extend(done);
        let forgotten = state.done.len().saturating_sub(KEPT_PROCESSED);
        state.done.drain(..forgotten);
    }

    /// Puts a message directly into the dead-letter queue, as Lambda does with an invocation that it has given up.
    pub fn put_dead_letter(&self, body: String, sent: Timestamp) {
        self.lock().dead.push(Message::new(body, sent));
    }

    /// Receives at most `most` dead letters for inspection; they are invisible for the duration `hidden`.
    pub fn receive_dead_letters(&self, now: Timestamp, most: usize, hidden: SignedDuration) -> Vec<DeadLetter> {
        let mut state = self.lock();
        let seen = state.dead.iter_mut().filter(|message| message.is_visible(now)).take(most);
        seen.map(|message| {
            message.receives += 1;
            message.in_flight_until = Some(now + hidden);
            message.dead_letter()
        })
        .collect()
    }

    /// Hides a dead letter again, identified by its id and the number of its receive; a later receive invalidates an
    /// earlier one. Returns `true` if there is such a receive.
    pub fn change_dead_letter_visibility(
        &self,
        (id, receive): (&str, u32),
        now: Timestamp,
        hidden: SignedDuration,
    ) -> bool {
        let mut state = self.lock();
        let received = state.dead.iter_mut().find(|message| message.id == id && message.receives == receive);
        received.map(|message| message.in_flight_until = Some(now + hidden)).is_some()
    }

    /// Keeps the oldest `most` dead letters, and loses the others.
    pub fn truncate_dead_letters(&self, most: usize) {
        self.lock().dead.truncate(most);
    }

    /// Returns the number of visible dead letters, and the number of invisible ones.
    pub fn dead_letter_counts(&self, now: Timestamp) -> (usize, usize) {
        let state = self.lock();
        let visible = state.dead.iter().filter(|message| message.is_visible(now)).count();
        (visible, state.dead.len() - visible)
    }

    /// Moves the visible dead letters back to the queue, as new messages, and returns their number.
    pub fn redrive(&self, now: Timestamp) -> usize {
        let mut state = self.lock();
        let (moved, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.dead).into_iter().partition(|message| message.is_visible(now));
        state.dead = kept;
        let count = moved.len();
        state.messages.extend(moved.into_iter().map(|message| Message::new(message.body, now)));
        count
    }

    /// The queue's ARN.
    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// Returns the time at which the next message becomes visible again.
    pub fn next_due(&self) -> Option<Timestamp> {
        let state = self.lock();
        state.messages.iter().filter_map(|message| message.in_flight_until).min()
    }

    /// Holds all messages back until they are released.
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Delivers messages again.
    pub fn release(&self) {
        self.lock().held = false;
    }

    /// Appends this many more copies of every waiting message.
    pub fn duplicate(&self, copies: usize) {
        let mut state = self.lock();
        let waiting: Vec<Message> = state.messages.iter().filter(|message| message.is_waiting()).cloned().collect();
        for _ in 0..copies {
            state.messages.extend(waiting.iter().map(Message::redelivered));
        }
    }

    /// Puts the last processed messages, this many, on the queue again, in their order.
    pub fn redeliver(&self, last: usize) {
        let mut state = self.lock();
        let from = state.done.len().saturating_sub(last);
        let again: Vec<Message> = state.done.range(from..).map(Message::redelivered).collect();
        state.messages.extend(again);
    }

    /// Loses the waiting messages that contain a text, as if they had never been sent.
    pub fn lose(&self, text: &str) {
        self.lock().messages.retain(|message| !(message.is_waiting() && message.body.contains(text)));
    }

    /// Shuffles the waiting messages; the same seed gives the same order.
    pub fn reorder(&self, seed: u64) {
        let mut state = self.lock();
        let (mut waiting, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.messages).into_iter().partition(Message::is_waiting);
        shuffle(&mut waiting, seed);
        state.messages = waiting;
        state.messages.extend(others);
    }

    /// Returns the current state of the queue.
    pub fn overview(&self) -> QueueOverview {
        let state = self.lock();
        let waiting = state.messages.iter().filter(|message| message.is_waiting()).count();
        QueueOverview {
            held: state.held,
            waiting,
            in_flight: state.messages.len() - waiting,
            dead_letters: state.dead.iter().map(Message::dead_letter).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    fn of(&self, batch: &Batch) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| batch.handles.contains(&message.handle) && !message.is_waiting())
    }

    /// Makes the messages whose visibility timeout has ended visible again, or moves them to the dead letters.
    fn expire_visibility(&mut self, now: Timestamp, most_receives: u32) {
        for message in &mut self.messages {
            if message.in_flight_until.is_some_and(|until| until <= now) {
                message.in_flight_until = None;
            }
        }
        let is_dead = |message: &Message| message.is_waiting() && message.receives >= most_receives;
        let (dead, alive): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages).into_iter().partition(is_dead);
        self.messages = alive;
        self.dead.extend(dead);
    }
}

/// A record of the event, as Lambda's poller makes it (Lambda developer guide, with-sqs).
fn record(message: &Message, queue: &str) -> Value {
    let millisecond = |at: Timestamp| at.as_millisecond().to_string();
    json!({
        "messageId": message.id,
        "receiptHandle": format!("{}#{}", message.id, message.handle),
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": millisecond(message.sent),
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": millisecond(message.first_received.unwrap_or(message.sent)),
        },
        "messageAttributes": {},
        "md5OfBody": format!("{:x}", md5::compute(&message.body)),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": "us-east-1",
    })
}

/// Shuffles by Fisher and Yates's algorithm, with numbers of SplitMix64: the result is the same on every machine.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let with = usize::try_from(z % (last as u64 + 1)).unwrap_or(last);
        items.swap(last, with);
    }
}

/// Returns a new id in the form of AWS's message ids.
pub(crate) fn uuid() -> String {
    let hex = format!("{:032x}", Ulid::from_datetime(SystemTime::now()).0);
    let mut text = String::with_capacity(36);
    for (place, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&place) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
