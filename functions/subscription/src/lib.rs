//! Processes events from AWS Marketplace: EventBridge events and SNS notifications, all through one SQS queue.
//!
//! Each message is processed on its own: one that cannot be read or processed now is reported as a batch item failure,
//! so that SQS delivers it again, and moves it to the dead-letter queue after the last receive. Processing the same
//! message twice changes nothing.

mod message;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use clock::Clock;
use domain::agreement::{AgreementEvent, AgreementStatus};
use domain::errors::chain;
use domain::evidence::EvidenceKind;
use futures_util::future::join_all;
use lifecycle::{Continues, LicenseUpdate, RefreshError, Refreshed};
use marketplace::Marketplace;
use store::{Store, StoreError};

use message::{Message, Unreadable};

/// The receive count of a message from which AWS's answer is believed even if it seemed premature. With the queue's
/// visibility timeout that is a few minutes after the update.
const FINAL_RECEIVE_COUNT: u32 = 3;

/// The time that one message may take: less than the function's timeout, so that a slow message fails alone and does
/// not return the whole batch.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(45);

/// The subscription function.
#[derive(Debug)]
pub struct Subscription {
    store: Store,
    marketplace: Marketplace,
}

/// The outcome of a message that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The table reflects the message.
    Applied,
    /// This stack has no listing of the product.
    OtherProduct,
    /// The product's listing is of the mode that gets other events.
    OtherMode,
    /// No license depends on the message.
    Ignored,
}

/// The reason why a message must be delivered again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    #[error("the operation timed out")]
    Timeout,
    #[error("AWS shows no entitlements yet")]
    EntitlementsTooEarly,
    #[error("an event reports the end of the agreement, and AWS still shows it as active")]
    EndTooEarly,
    #[error("the buyer moved to a license key, and the agreement of the license is not known yet")]
    AgreementTooEarly,
}

impl Failure {
    /// Returns a stable name for logs.
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Store(_) => "store",
            Self::Refresh(_) => "refresh",
            Self::Timeout => "timeout",
            Self::EntitlementsTooEarly => "entitlements_too_early",
            Self::EndTooEarly => "end_too_early",
            Self::AgreementTooEarly => "agreement_too_early",
        }
    }
}

impl Subscription {
    /// Creates the function on the given table.
    pub fn new(config: &SdkConfig, table: &str, clock: Clock) -> Self {
        Self { store: Store::new(config, table, clock), marketplace: Marketplace::new(config) }
    }

    /// Processes a batch of messages, and returns those that must be delivered again.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        let processing =
            event.records.iter().map(|message| tokio::time::timeout(MESSAGE_TIMEOUT, self.process(message)));
        let processed = join_all(processing).await;
        self.store.note_outcomes("subscription", self.marketplace.take_outcomes()).await;
        for (message, processed) in event.records.iter().zip(processed) {
            let id = message.message_id.clone().unwrap_or_default();
            match processed.unwrap_or(Err(Failure::Timeout)) {
                Ok(processed) => {
                    tracing::info!(message = id, outcome = ?processed, counter = "marketplace_event", "Processed a message")
                }
                Err(failure) => {
                    let code = failure.code();
                    tracing::warn!(message = id, code, error = %chain(&failure), counter = "marketplace_event_failed", "Failed to process a message; SQS delivers it again");
                    let mut again = BatchItemFailure::default();
                    again.item_identifier = id;
                    response.batch_item_failures.push(again);
                }
            }
        }
        response
    }

    async fn process(&self, message: &SqsMessage) -> Result<Outcome, Failure> {
        let receives = receives(message);
        match message::read(message.body.as_deref().unwrap_or_default())? {
            Message::License { update, entitlements } => {
                self.apply_license_update(&update, entitlements, receives).await
            }
            Message::Agreement { event, amends } => self.apply_agreement_event(event, amends, receives).await,
            Message::Advisory(agreement, advisory) => {
                lifecycle::apply_advisory(&self.store, &agreement, &advisory).await?;
                Ok(Outcome::Applied)
            }
            Message::Other(name) => {
                tracing::info!(
                    name,
                    counter = "marketplace_event_ignored",
                    "Ignored an event that no license depends on"
                );
                Ok(Outcome::Ignored)
            }
        }
    }

    async fn apply_license_update(
        &self,
        update: &LicenseUpdate,
        entitlements: bool,
        receives: u32,
    ) -> Result<Outcome, Failure> {
        let Some(listing) = self.store.listing(&update.product).await? else { return Ok(Outcome::OtherProduct) };
        // An event of the other mode is of a buyer who has moved, or it would create a duplicate license.
        if !lifecycle::fits(&listing, update) && self.store.license(&update.license).await?.is_none() {
            match Box::pin(lifecycle::continues_moved_license(&self.store, update)).await? {
                Continues::Yes => {}
                Continues::NotYetKnown if receives < FINAL_RECEIVE_COUNT => return Err(Failure::AgreementTooEarly),
                Continues::NotYetKnown | Continues::No => return Ok(Outcome::OtherMode),
            }
        }
        let license = lifecycle::apply_license_update(&self.store, update).await?;
        if !entitlements || !listing.pricing.has_entitlements() {
            return Ok(Outcome::Applied);
        }
        let accept_empty = receives >= FINAL_RECEIVE_COUNT;
        match lifecycle::refresh_entitlements(&self.store, &self.marketplace, &license, accept_empty).await? {
            Refreshed::Kept => Ok(Outcome::Applied),
            Refreshed::EmptyTooEarly => Err(Failure::EntitlementsTooEarly),
        }
    }

    async fn apply_agreement_event(
        &self,
        mut event: AgreementEvent,
        amends: bool,
        receives: u32,
    ) -> Result<Outcome, Failure> {
        if event.status.end_reason().is_some() {
            event.status = self.confirm_end(&event, receives).await?;
        }
        let products = lifecycle::apply_agreement_event(&self.store, &event).await?;
        if amends || event.status.continues() {
            let noted =
                products.iter().map(|product| self.store.note_evidence(product, EvidenceKind::AgreementChanged));
            join_all(noted).await;
        }
        Ok(Outcome::Applied)
    }

    /// Asks AWS for the status of an agreement that an event reports as ended, before any license ends by it.
    ///
    /// AWS's answer outweighs the event, except that `ACTIVE` is first asked for again: AWS may not have caught up with
    /// its own event. If AWS does not answer, the event counts.
    async fn confirm_end(&self, event: &AgreementEvent, receives: u32) -> Result<AgreementStatus, Failure> {
        if self.store.licenses_of_agreement(&event.agreement).await?.is_empty() {
            return Ok(event.status);
        }
        match self.marketplace.agreement_status(&event.agreement).await {
            Ok(Some(AgreementStatus::Active)) if receives < FINAL_RECEIVE_COUNT => Err(Failure::EndTooEarly),
            Ok(Some(status)) => Ok(status),
            Ok(None) => Ok(event.status),
            Err(error) => {
                let agreement = event.agreement.as_str();
                tracing::warn!(agreement, error = %chain(&error), counter = "end_unconfirmed", "Failed to confirm the end of an agreement with AWS; applying the event");
                Ok(event.status)
            }
        }
    }
}

fn receives(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}
