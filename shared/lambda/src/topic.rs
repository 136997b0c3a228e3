//! The SNS topic of the seller's application, to which events about licenses are published.

use std::fmt;
use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::error::{BuildError, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;
use serde::Serialize;

use domain::notification::OutboundEvent;

/// The version of the messages; see `docs/events/`. It stays the same when a field is added, and increases when a field
/// is removed or changes its meaning.
pub const VERSION: u32 = 1;

/// An SNS topic that events are published to. Its client is built with the first event: most calls of the application's
/// API publish nothing.
#[derive(Clone)]
pub struct Topic {
    config: SdkConfig,
    client: OnceLock<Client>,
    arn: String,
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("arn", &self.arn).finish_non_exhaustive()
    }
}

/// The reason why an event is not on the topic.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// SNS did not accept it this time; the same event may succeed later.
    #[error("the topic did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// SNS never accepts this event, for example because it is larger than 256 KiB.
    #[error("the topic rejected the event")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An event in the form of a message.
#[derive(Serialize)]
pub struct Message<'a> {
    version: u32,
    #[serde(flatten)]
    event: &'a OutboundEvent,
}

impl<'a> Message<'a> {
    /// Creates the message of an event.
    pub fn of(event: &'a OutboundEvent) -> Self {
        Self { version: VERSION, event }
    }
}

impl Topic {
    /// Creates a topic with an ARN.
    pub fn new(config: &SdkConfig, arn: impl Into<String>) -> Self {
        Self { config: config.clone(), client: OnceLock::new(), arn: arn.into() }
    }

    /// Publishes an event. The message's attributes hold what subscriptions may filter by. The event may be on the
    /// topic already: subscribers tell events apart by their ids.
    ///
    /// # Errors
    ///
    /// See [`TopicError`]. After [`TopicError::Unavailable`] the event may be on the topic nevertheless.
    pub async fn publish(&self, event: &OutboundEvent) -> Result<(), TopicError> {
        let body = serde_json::to_string(&Message::of(event)).map_err(rejected)?;
        let client = self.client.get_or_init(|| Client::new(&self.config));
        let mut request = client.publish().topic_arn(&self.arn).message(body);
        let tenant = event.tenant.as_ref().map(|tenant| ("tenant", tenant.as_str().to_owned()));
        let texts = [
            ("event_id", event.id.to_string()),
            ("type", event.kind.name().to_owned()),
            ("license", event.license.to_string()),
            ("product", event.product.to_string()),
        ];
        for (name, value) in texts.into_iter().chain(tenant) {
            request = request.message_attributes(name, attribute("String", value).map_err(rejected)?);
        }
        for (name, value) in [("sequence", event.sequence), ("version", VERSION.into())] {
            request = request.message_attributes(name, attribute("Number", value.to_string()).map_err(rejected)?);
        }
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_rejected(&error) => Err(rejected(error)),
            Err(error) => Err(TopicError::Unavailable(Box::new(error))),
        }
    }
}

fn attribute(kind: &str, value: String) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type(kind).string_value(value).build()
}

fn is_rejected<R>(error: &SdkError<PublishError, R>) -> bool {
    error
        .as_service_error()
        .is_some_and(|error| error.is_invalid_parameter_exception() || error.is_invalid_parameter_value_exception())
}

fn rejected(error: impl std::error::Error + Send + Sync + 'static) -> TopicError {
    TopicError::Rejected(Box::new(error))
}
