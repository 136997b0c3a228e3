//! SNS and SES: the published messages and the sent mails.
//!
//! Any topic ARN is accepted, and a mail is stored here and not sent on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::error::ServiceError;
use crate::protocol::{Document, Record};
use crate::service::Service;

/// The largest message that SNS accepts, with its attributes, in bytes (SNS API reference, Publish).
const LARGEST_MESSAGE: usize = 256 * 1024;

/// A message published to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedMessage {
    /// The time of publication.
    pub at: Timestamp,
    /// The message id from SNS.
    pub message_id: String,
    /// The ARN of the topic.
    pub topic_arn: String,
    /// The text of the message.
    pub message: String,
    /// The values of the message attributes, by name.
    pub attributes: BTreeMap<String, String>,
}

/// A sent mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentMail {
    /// The time of sending.
    pub at: Timestamp,
    /// The message id from SES.
    pub message_id: String,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// The reply-to addresses.
    pub reply_to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

/// Everything that was published and mailed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OutboxContents {
    /// The messages of every topic, oldest first.
    pub published: Vec<PublishedMessage>,
    /// The mails, oldest first.
    pub mails: Vec<SentMail>,
}

/// The store of published messages and sent mails.
#[derive(Debug, Default)]
pub struct Outbox(Mutex<OutboxContents>);

impl Outbox {
    /// Returns everything that was published and mailed so far.
    pub fn contents(&self) -> OutboxContents {
        self.lock().clone()
    }

    /// Returns the messages of a topic without the first `first` messages of all topics, and the number of messages of
    /// all topics now.
    pub fn published_since(&self, first: usize, topic: &str) -> (Vec<PublishedMessage>, usize) {
        let contents = self.lock();
        let of_topic = contents.published.iter().skip(first).filter(|published| published.topic_arn == topic);
        (of_topic.cloned().collect(), contents.published.len())
    }

    /// Answers a call of SNS or SES.
    pub(crate) fn answer(
        &self,
        (service, operation): (Service, &str),
        request: &Document,
        at: Timestamp,
        message_id: &str,
    ) -> Result<Document, ServiceError> {
        match (service, operation) {
            (Service::Sns, "Publish") => self.publish(request, at, message_id),
            (Service::Ses, "SendEmail") => self.send(request, at, message_id),
            _ => Err(ServiceError::unknown_operation()),
        }
    }

    fn publish(&self, request: &Document, at: Timestamp, message_id: &str) -> Result<Document, ServiceError> {
        let topic_arn = text(request, &["TopicArn"]).ok_or_else(|| invalid("Invalid parameter: TopicArn"))?;
        let message = text(request, &["Message"])
            .filter(|message| !message.is_empty())
            .ok_or_else(|| invalid("Empty message"))?;
        let mut attributes = BTreeMap::new();
        for number in 1.. {
            let entry = |part: &str| text(request, &[&format!("MessageAttributes.entry.{number}.{part}")]);
            let Some(name) = entry("Name") else { break };
            let value = entry("Value.StringValue").filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| invalid("The message attribute must contain non-empty message value"))?;
            let kind = entry("Value.DataType").unwrap_or_default();
            if kind == "Number" && value.parse::<f64>().is_err() {
                return Err(invalid("The message attribute value is no number"));
            }
            attributes.insert(name, value);
        }
        let size = message.len() + attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if size > LARGEST_MESSAGE {
            return Err(invalid("Invalid parameter: Message too long"));
        }
        let message_id = message_id.to_owned();
        let published = PublishedMessage { at, message_id: message_id.clone(), topic_arn, message, attributes };
        self.lock().published.push(published);
        let result = Record::new().with("MessageId", message_id);
        Ok(Record::new().with("PublishResult", Document::from(result)).into())
    }

    fn send(&self, request: &Document, at: Timestamp, message_id: &str) -> Result<Document, ServiceError> {
        let bad =
            |what: &str| ServiceError::modelled("BadRequestException", 400, format!("{what} is missing or invalid"));
        let simple = |path: &[&str]| {
            let path: Vec<&str> = ["Content", "Simple"].iter().chain(path).copied().collect();
            text(request, &path).ok_or_else(|| bad(path.last().copied().unwrap_or_default()))
        };
        let from = text(request, &["FromEmailAddress"]).filter(|from| from.is_ascii() && from.contains('@'));
        let to = texts(request, &["Destination", "ToAddresses"]);
        if to.is_empty() || to.iter().any(|address| !address.is_ascii() || !address.contains('@')) {
            return Err(bad("ToAddresses"));
        }
        let mailed = SentMail {
            at,
            message_id: message_id.to_owned(),
            from: from.ok_or_else(|| bad("FromEmailAddress"))?,
            to,
            reply_to: texts(request, &["ReplyToAddresses"]),
            subject: simple(&["Subject", "Data"])?,
            text: simple(&["Body", "Text", "Data"])?,
            html: simple(&["Body", "Html", "Data"])?,
        };
        self.lock().mails.push(mailed);
        Ok(Record::new().with("MessageId", message_id).into())
    }

    fn lock(&self) -> MutexGuard<'_, OutboxContents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn member<'a>(document: &'a Document, path: &[&str]) -> Option<&'a Document> {
    path.iter().try_fold(document, |document, name| match document {
        Document::Map(members) => members.get(*name),
        _ => None,
    })
}

fn text(document: &Document, path: &[&str]) -> Option<String> {
    match member(document, path)? {
        Document::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn texts(document: &Document, path: &[&str]) -> Vec<String> {
    let Some(Document::List(values)) = member(document, path) else { return Vec::new() };
    let text = |value: &Document| match value {
        Document::Text(text) => Some(text.clone()),
        _ => None,
    };
    values.iter().filter_map(text).collect()
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidParameter", 400, message)
}
