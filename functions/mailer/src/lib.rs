//! Sends mail to buyers about events of their licenses.
//!
//! A queue subscribes to the topic of the seller's application, filtered to [`MAILED`], so that a mail that cannot be
//! sent delays nothing else: its message is delivered again, and moves to the dead-letter queue after the last receive.
//! Sent mails are recorded, so that an event that is delivered twice or replayed causes one mail. A second mail can
//! follow only if SES has sent the first one, and its answer was lost or the record could not be written. An event that
//! is more than three days old causes none.
//!
//! `letter` has the content of the mails. No address and no name is logged.

mod letter;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use clock::Clock;
use domain::errors::chain;
use domain::evidence::EvidenceKind;
use domain::language::Language;
use domain::license::StateName;
use domain::listing::Listing;
use domain::notification::{OutboundEvent, OutboundEventKind};
use domain::registration::Contact;
use futures_util::future::join;
use jiff::SignedDuration;
use lambda::metrics::{Metric, Metrics};
use store::{Store, StoreError};

use letter::{Letter, Occasion};

/// The types of the events that buyers get mail about; the queue's subscription is filtered to them.
pub const MAILED: [&str; 3] = ["license.ended", "registration.completed", "registration.returned"];

/// The age after which an event causes no mail: longer than the queue delivers it again.
const MAX_EVENT_AGE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The mailer function.
#[derive(Debug)]
pub struct Mailer {
    store: Store,
    ses: Client,
    sender: String,
    metrics: Metrics,
}

/// The outcome of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    /// The mail was sent before.
    SentBefore,
    /// The event causes no mail, or no address is known.
    NoMail,
}

/// The reason why a message must be delivered again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the message is not an event")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this stack has no listing of the product")]
    NoListing,
    #[error("the mail could not be rendered")]
    Unwritable(#[from] askama::Error),
    #[error("the mail is not valid for SES")]
    Unbuildable(#[from] BuildError),
    #[error("SES did not send the mail")]
    NotSent(#[from] Box<SdkError<SendEmailError>>),
}

impl Mailer {
    /// Creates the function on the given table; its mails come from the given address.
    pub fn new(config: &SdkConfig, table: &str, sender: impl Into<String>, clock: Clock) -> Self {
        let store = Store::new(config, table, clock);
        Self { store, ses: Client::new(config), sender: sender.into(), metrics: Metrics::discarded() }
    }

    /// Returns the function with the given destination of its metrics.
    pub fn reporting_to(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Processes a batch of messages, and returns those that must be delivered again.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        let mut counts = BTreeMap::new();
        // One after the other: the same event may be in a batch twice.
        for message in &event.records {
            let id = message.message_id.clone().unwrap_or_default();
            match self.answer(message).await {
                Ok(outcome) => {
                    tracing::info!(message = id, ?outcome, "Processed a message");
                    if outcome == Outcome::Sent {
                        *counts.entry(Metric::MailsSent).or_default() += 1;
                    }
                }
                Err(failure) => {
                    tracing::error!(
                        message = id,
                        error = chain(&failure),
                        "Failed to send a mail to a buyer; SQS delivers the message again"
                    );
                    *counts.entry(Metric::MailsFailed).or_default() += 1;
                    let mut again = BatchItemFailure::default();
                    again.item_identifier = id;
                    response.batch_item_failures.push(again);
                }
            }
        }
        self.metrics.write(self.store.clock().now(), &counts);
        response
    }

    async fn answer(&self, message: &SqsMessage) -> Result<Outcome, Failure> {
        let event: OutboundEvent = serde_json::from_str(message.body.as_deref().unwrap_or_default())?;
        let Some(occasion) = Occasion::of(&event.kind) else { return Ok(Outcome::NoMail) };
        if self.store.clock().now().duration_since(event.at) > MAX_EVENT_AGE {
            return Ok(Outcome::NoMail);
        }
        if self.store.is_mailed(&event).await? {
            return Ok(Outcome::SentBefore);
        }
        if !self.still_holds(&event).await? {
            return Ok(Outcome::NoMail);
        }
        let Some(contact) = self.store.contact(&event.license).await? else { return Ok(Outcome::NoMail) };
        let listing = self.store.listing(&event.product).await?.ok_or(Failure::NoListing)?;
        let language = Language::tagged(&contact.language).unwrap_or(Language::English);
        let letter = Letter::write(occasion, &listing, language, event.at)?;
        self.send(&contact, &listing, letter).await?;
        tracing::info!(event = %event.id, license = %event.license, ?occasion, "Sent a mail to a buyer");
        let noted = self.store.note_evidence(&event.product, EvidenceKind::BuyerNotified);
        join(self.store.note_mailed(&event), noted).await.0?;
        Ok(Outcome::Sent)
    }

    /// Returns `true` unless the event is an end and its license has not ended any more: a late event may have revoked
    /// the end.
    async fn still_holds(&self, event: &OutboundEvent) -> Result<bool, StoreError> {
        if !matches!(event.kind, OutboundEventKind::LicenseEnded { .. }) {
            return Ok(true);
        }
        let license = self.store.license(&event.license).await?;
        let now = self.store.clock().now();
        Ok(license.is_some_and(|license| license.state_at(now).name() == StateName::Ended))
    }

    async fn send(&self, contact: &Contact, listing: &Listing, letter: Letter) -> Result<(), Failure> {
        let content = |data: String| Content::builder().data(data).charset("UTF-8").build();
        let body = Body::builder().text(content(letter.text)?).html(content(letter.html)?).build();
        let message = Message::builder().subject(content(letter.subject)?).body(body).build();
        let request = self
            .ses
            .send_email()
            .from_email_address(letter::mailbox(&listing.name, &self.sender))
            .reply_to_addresses(&listing.support.email)
            .destination(Destination::builder().to_addresses(&contact.email).build())
            .content(EmailContent::builder().simple(message).build());
        request.send().await.map_err(Box::new)?;
        Ok(())
    }
}
