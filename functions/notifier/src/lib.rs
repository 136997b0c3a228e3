//! Publishes license events: from the table's stream to the topic of the seller's application.
//!
//! The stream, filtered to inserted events, delivers them in batches. Each event is published on its own. From the
//! first event that the topic did not accept, Lambda delivers the batch again. So every event is published at least
//! once, and the events after a failed one more than once. An event that no repetition would help is passed over,
//! counted and logged: it stays in the table, from where it can be replayed.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use clock::Clock;
use domain::errors::chain;
use domain::notification::OutboundEvent;
use futures_util::future::join_all;
use lambda::metrics::{Metric, Metrics};
use lambda::topic::{Topic, TopicError};
use store::event_in;

/// The most events that are published at the same time.
const MAX_CONCURRENT_EVENTS: usize = 10;

/// The notifier function.
#[derive(Debug)]
pub struct Notifier {
    topic: Topic,
    clock: Clock,
    metrics: Metrics,
}

/// The outcome of a record of the stream.
enum Outcome {
    Published,
    /// The record is no event, or one that the topic never accepts.
    Rejected,
    Retry,
}

impl Notifier {
    /// Creates the function that publishes to the topic of the given ARN.
    pub fn new(config: &SdkConfig, topic: &str, clock: Clock) -> Self {
        Self { topic: Topic::new(config, topic), clock, metrics: Metrics::discarded() }
    }

    /// Returns the function with the given destination of its metrics.
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Publishes a batch, and returns the record from which on Lambda must deliver it again.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        let mut outcomes = Vec::with_capacity(event.records.len());
        for records in event.records.chunks(MAX_CONCURRENT_EVENTS) {
            outcomes.extend(join_all(records.iter().map(|record| self.publish(record))).await);
        }
        let mut counts = BTreeMap::new();
        for outcome in &outcomes {
            let metric = match outcome {
                Outcome::Published => Metric::EventsPublished,
                Outcome::Rejected => Metric::EventsRejected,
                Outcome::Retry => Metric::EventsRetried,
            };
            *counts.entry(metric).or_default() += 1;
        }
        self.metrics.write(self.clock.now(), &counts);
        let mut response = DynamoDbEventResponse::default();
        let failed = event.records.iter().zip(&outcomes).find(|(_, outcome)| matches!(outcome, Outcome::Retry));
        if let Some((record, _)) = failed {
            let mut again = DynamoDbBatchItemFailure::default();
            again.item_identifier = record.change.sequence_number.clone();
            response.batch_item_failures.push(again);
        }
        response
    }

    async fn publish(&self, record: &EventRecord) -> Outcome {
        let event: OutboundEvent = match event_in(record.change.new_image.clone()) {
            Ok(event) => event,
            Err(error) => {
                let error = chain(&error);
                tracing::error!(record = record.event_id, error, "Ignored an item of the stream that is not an event");
                return Outcome::Rejected;
            }
        };
        let (id, license, kind) = (event.id.to_string(), &event.license, event.kind.name());
        match self.topic.publish(&event).await {
            Ok(()) => {
                tracing::info!(event = id, %license, kind, sequence = event.sequence, "Published an event");
                Outcome::Published
            }
            Err(error @ TopicError::Rejected(_)) => {
                tracing::error!(event = id, %license, kind, error = chain(&error), "Failed to publish an event: the topic rejected it");
                Outcome::Rejected
            }
            Err(error @ TopicError::Unavailable(_)) => {
                tracing::warn!(event = id, %license, kind, error = chain(&error), "Failed to publish an event; the stream delivers it again");
                Outcome::Retry
            }
        }
    }
}
