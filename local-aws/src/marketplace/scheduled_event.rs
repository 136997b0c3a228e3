//! The notifications of AWS, by channel, with the times at which they are sent.

use jiff::Timestamp;
use serde_json::Value;

/// A notification of AWS, with the time at which it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledEvent {
    /// The time at which it is due. Events that are due at the same time are sent in their order.
    pub at: Timestamp,
    /// The notification, with its channel.
    pub event: MarketplaceEvent,
}

/// A notification, by the channel on which AWS sends it.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketplaceEvent {
    /// An event on the default bus of the seller's account in us-east-1: the whole envelope.
    EventBridge(Value),
    /// A message of an SNS topic, without the envelope of the topic.
    Sns {
        /// The ARN of the topic.
        topic_arn: String,
        /// The content of `Message`.
        message: Value,
    },
}
