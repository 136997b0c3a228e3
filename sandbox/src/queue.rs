//! A queue of a stage with its dead-letter queue: SQS as a function sees it.
//!
//! A message whose batch failed, or that was reported as failed, is out of sight for a time of the sandbox's clock and
//! then comes again; after so many times it becomes a dead letter. Standard queues promise neither order nor single delivery, and this one can be told to break both.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ulid::Ulid;

/// How a queue brings messages again.
#[derive(Debug, Clone, Copy)]
pub struct Redelivery {
    /// For how long a message that was handed out is out of sight.
    pub after: SignedDuration,
    /// How often a message is handed out before it becomes a dead letter.
    pub most: u32,
}

impl Redelivery {
    /// The news queue's, as the template has it.
    pub const NEWS: Self = Self { after: SignedDuration::from_secs(90), most: 10 };
    /// The mail queue's, as the template has it.
    pub const MAIL: Self = Self { after: SignedDuration::from_mins(5), most: 40 };
}

/// How many messages a function gets at once.
const BATCH: usize = 10;

/// How many messages that were done with can be delivered once more.
const REMEMBERED: usize = 1000;

/// A queue and its dead letters.
#[derive(Debug)]
pub struct Queue {
    arn: String,
    redelivery: Redelivery,
    on_it: Mutex<OnIt>,
}

#[derive(Debug, Default)]
struct OnIt {
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
    /// Out of sight until then; none while it waits.
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

    fn waits(&self) -> bool {
        self.in_flight_until.is_none()
    }

    /// The same message as if it were delivered for the first time.
    fn anew(&self) -> Self {
        Self { first_received: None, receives: 0, in_flight_until: None, ..self.clone() }
    }
}

/// Messages that were handed out together.
#[derive(Debug)]
pub struct Batch {
    handles: HashSet<u64>,
    event: Value,
}

impl Batch {
    /// The event that the function gets.
    ///
    /// # Errors
    ///
    /// When it is not what `aws_lambda_events` takes for one.
    pub fn event(&self) -> Result<SqsEvent, serde_json::Error> {
        SqsEvent::deserialize(&self.event)
    }
}

/// A queue as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueOverview {
    /// Whether it is held back.
    pub held: bool,
    /// How many messages can be handed out.
    pub waiting: usize,
    /// How many were handed out, failed, and will come again.
    pub in_flight: usize,
    /// What was handed out too often.
    pub dead_letters: Vec<DeadLetter>,
}

/// A message that was handed out too often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// SQS's id of it.
    pub message_id: String,
    /// When it came onto the queue.
    pub sent: Timestamp,
    /// How often it was handed out.
    pub receives: u32,
    /// What it says.
    pub body: String,
}

impl Queue {
    /// An empty queue of that name.
    pub fn new(arn: String, redelivery: Redelivery) -> Self {
        Self { arn, redelivery, on_it: Mutex::default() }
    }

    /// Puts a message on the queue, whatever it says.
    pub fn put(&self, body: String, sent: Timestamp) {
        self.lock().messages.push(Message::new(body, sent));
    }

    /// Hands out the next messages, if any can be; those that came back too often become dead letters.
    pub fn receive(&self, now: Timestamp) -> Option<Batch> {
        let mut on_it = self.lock();
        on_it.bring_back(now, self.redelivery.most);
        if on_it.held {
            return None;
        }
        let mut handles = HashSet::new();
        let mut records = Vec::new();
        let first_handle = on_it.handles + 1;
        for message in on_it.messages.iter_mut().filter(|message| message.waits()).take(BATCH) {
            message.receives += 1;
            message.first_received.get_or_insert(now);
            message.in_flight_until = Some(now + self.redelivery.after);
            message.handle = first_handle + records.len() as u64;
            handles.insert(message.handle);
            records.push(record(message, &self.arn));
        }
        on_it.handles += records.len() as u64;
        (!records.is_empty()).then(|| Batch { handles, event: json!({ "Records": records }) })
    }

    /// Does away with what the function has done, as Lambda does: all of the batch but what it reported as failed.
    /// No answer, or a report that names no message of the batch, is a failure of the whole batch.
    pub fn finish(&self, batch: &Batch, answer: Option<SqsBatchResponse>) {
        let mut on_it = self.lock();
        let ids: HashSet<String> = on_it.of(batch).map(|message| message.id.clone()).collect();
        let Some(answer) = answer else { return };
        let failed: HashSet<String> =
            answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        if !failed.is_subset(&ids) {
            return;
        }
        let is_done = |message: &Message| batch.handles.contains(&message.handle) && !failed.contains(&message.id);
        let (done, kept) = std::mem::take(&mut on_it.messages).into_iter().partition(is_done);
        on_it.messages = kept;
        let done: Vec<Message> = done;
        on_it.done.extend(done);
        let forgotten = on_it.done.len().saturating_sub(REMEMBERED);
        on_it.done.drain(..forgotten);
    }

    /// Puts a message straight among the dead letters, as Lambda does with what it has given up.
    pub fn bury(&self, body: String, sent: Timestamp) {
        self.lock().dead.push(Message::new(body, sent));
    }

    /// Hands out so many dead letters at most, for somebody to look at; they are out of sight for that long.
    pub fn look_at_dead(&self, now: Timestamp, most: usize, hidden: SignedDuration) -> Vec<DeadLetter> {
        let mut on_it = self.lock();
        let seen = on_it.dead.iter_mut().filter(|message| message.is_visible(now)).take(most);
        seen.map(|message| {
            message.receives += 1;
            message.in_flight_until = Some(now + hidden);
            message.dead_letter()
        })
        .collect()
    }

    /// Hides a dead letter for another time, by its id and which receive of it that was; a later one has outdated it.
    /// Answers whether it was so.
    pub fn hide_dead(&self, (id, receive): (&str, u32), now: Timestamp, hidden: SignedDuration) -> bool {
        let mut on_it = self.lock();
        let received = on_it.dead.iter_mut().find(|message| message.id == id && message.receives == receive);
        received.map(|message| message.in_flight_until = Some(now + hidden)).is_some()
    }

    /// Keeps so many dead letters, the oldest, and loses the others.
    pub fn keep_dead(&self, most: usize) {
        self.lock().dead.truncate(most);
    }

    /// How many dead letters can be handed out, and how many are out of sight.
    pub fn count_dead(&self, now: Timestamp) -> (usize, usize) {
        let on_it = self.lock();
        let visible = on_it.dead.iter().filter(|message| message.is_visible(now)).count();
        (visible, on_it.dead.len() - visible)
    }

    /// Puts the dead letters that can be handed out back on the queue, as new messages, and says how many.
    pub fn redrive(&self, now: Timestamp) -> usize {
        let mut on_it = self.lock();
        let (moved, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut on_it.dead).into_iter().partition(|message| message.is_visible(now));
        on_it.dead = kept;
        let count = moved.len();
        on_it.messages.extend(moved.into_iter().map(|message| Message::new(message.body, now)));
        count
    }

    /// The queue's name at AWS.
    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// When the next message comes into sight again.
    pub fn next_due(&self) -> Option<Timestamp> {
        let on_it = self.lock();
        on_it.messages.iter().filter_map(|message| message.in_flight_until).min()
    }

    /// Hands out nothing until it is released.
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Hands out again.
    pub fn release(&self) {
        self.lock().held = false;
    }

    /// Puts so many more copies of every waiting message behind the others.
    pub fn duplicate(&self, copies: usize) {
        let mut on_it = self.lock();
        let waiting: Vec<Message> = on_it.messages.iter().filter(|message| message.waits()).cloned().collect();
        for _ in 0..copies {
            on_it.messages.extend(waiting.iter().map(Message::anew));
        }
    }

    /// Puts the last so many messages that were done with on the queue once more, in their order.
    pub fn redeliver(&self, last: usize) {
        let mut on_it = self.lock();
        let from = on_it.done.len().saturating_sub(last);
        let again: Vec<Message> = on_it.done.range(from..).map(Message::anew).collect();
        on_it.messages.extend(again);
    }

    /// Loses the waiting messages that hold a text, as if they had never been sent.
    pub fn lose(&self, text: &str) {
        self.lock().messages.retain(|message| !(message.waits() && message.body.contains(text)));
    }

    /// Shuffles the waiting messages; the same seed gives the same order.
    pub fn reorder(&self, seed: u64) {
        let mut on_it = self.lock();
        let (mut waiting, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut on_it.messages).into_iter().partition(Message::waits);
        shuffle(&mut waiting, seed);
        on_it.messages = waiting;
        on_it.messages.extend(others);
    }

    /// How it looks now.
    pub fn overview(&self) -> QueueOverview {
        let on_it = self.lock();
        let waiting = on_it.messages.iter().filter(|message| message.waits()).count();
        QueueOverview {
            held: on_it.held,
            waiting,
            in_flight: on_it.messages.len() - waiting,
            dead_letters: on_it.dead.iter().map(Message::dead_letter).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, OnIt> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnIt {
    fn of(&self, batch: &Batch) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| batch.handles.contains(&message.handle) && !message.waits())
    }

    /// What was out of sight long enough waits again, or is dead.
    fn bring_back(&mut self, now: Timestamp, most_receives: u32) {
        for message in &mut self.messages {
            if message.in_flight_until.is_some_and(|until| until <= now) {
                message.in_flight_until = None;
            }
        }
        let is_dead = |message: &Message| message.waits() && message.receives >= most_receives;
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

/// Fisher and Yates's shuffle, with numbers of SplitMix64: the same on every machine.
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

/// A new id of the form that AWS's messages have.
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
