//! Reads one message of the queue: an EventBridge event, or an SNS notification, in AWS's envelope.
//!
//! Detail types are matched exactly (`Purchase Agreement Ending` is a notice, not an end). An unknown message is passed
//! on by name, so that it is counted.

use domain::agreement::{Advisory, AgreementEvent, AgreementStatus};
use domain::ids::{AccountId, AgreementId, CustomerIdentifier, LicenseArn, LicenseId, ProductCode};
use domain::license::{AgreementRef, EventStamp, LicenseEvent};
use jiff::Timestamp;
use lifecycle::LicenseUpdate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The EventBridge source of agreement and license events.
const SOURCE: &str = "aws.agreement-marketplace";

/// The content of a message.
#[derive(Debug)]
pub(crate) enum Message {
    /// A change of one license.
    License {
        /// The change.
        update: LicenseUpdate,
        /// Set if the entitlements may have changed and must be read again.
        entitlements: bool,
    },
    /// A change of an agreement.
    Agreement {
        /// The change.
        event: AgreementEvent,
        /// Set if the agreement was amended.
        amends: bool,
    },
    /// An advisory about a risk on the account of an agreement's buyer.
    Advisory(AgreementId, Advisory),
    /// A message that no license depends on, by its name.
    Other(String),
}

/// The reason why a message cannot be read. It contains nothing of the message but the field that is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The body is JSON, but neither an EventBridge event nor an SNS notification.
    #[error("the body is neither an EventBridge event nor an SNS notification")]
    NoEnvelope,
    /// A field is missing or not what it must be.
    #[error("{part}: {problem}")]
    Field {
        /// The part of the message.
        part: &'static str,
        /// The problem with the part.
        problem: String,
    },
}

/// Reads a message's body.
pub(crate) fn read(body: &str) -> Result<Message, Unreadable> {
    let body: Value = serde_json::from_str(body).map_err(|_| Unreadable::NotJson)?;
    if body.get("detail-type").is_some() {
        read_event(part("event", body)?)
    } else if body.get("Type").and_then(Value::as_str) == Some("Notification") {
        read_notification(part("notification", body)?)
    } else {
        Err(Unreadable::NoEnvelope)
    }
}

fn part<T: DeserializeOwned>(part: &'static str, value: Value) -> Result<T, Unreadable> {
    if !value.is_object() {
        return Err(Unreadable::Field { part, problem: "not an object".to_owned() });
    }
    serde_json::from_value(value).map_err(|error| Unreadable::Field { part, problem: error.to_string() })
}

/// An EventBridge event's envelope.
#[derive(Deserialize)]
struct Event {
    id: String,
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Timestamp,
    #[serde(default)]
    detail: Value,
}

#[derive(Deserialize)]
struct LicenseDetail {
    agreement: Named<AgreementId>,
    product: Product,
    license: License,
    acceptor: Acceptor,
}

#[derive(Deserialize)]
struct Named<T> {
    id: T,
}

#[derive(Deserialize)]
struct Product {
    code: ProductCode,
}

#[derive(Deserialize)]
struct License {
    arn: LicenseArn,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acceptor {
    account_id: AccountId,
}

#[derive(Deserialize)]
struct AgreementDetail {
    agreement: AgreementPart,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgreementPart {
    id: AgreementId,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    previous_agreement_id: Option<AgreementId>,
    #[serde(default)]
    start_time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct AdvisoryDetail {
    agreement: Named<AgreementId>,
    #[serde(default)]
    advisory: AdvisoryPart,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdvisoryPart {
    #[serde(default)]
    issued_at: Option<Timestamp>,
    #[serde(default)]
    resolved_at: Option<Timestamp>,
}

fn read_event(event: Event) -> Result<Message, Unreadable> {
    let known = (event.source == SOURCE).then(|| event.detail_type.rsplit_once(" - ")).flatten();
    let stamp = EventStamp { at: event.time, event: event.id };
    match known {
        Some(("License Updated", "Manufacturer" | "Proposer")) => {
            license(event.detail, true, |agreement| LicenseEvent::Updated(AgreementRef { stamp, agreement }))
        }
        Some(("License Deprovisioned", "Manufacturer" | "Proposer")) => {
            license(event.detail, false, |agreement| LicenseEvent::Deprovisioned(AgreementRef { stamp, agreement }))
        }
        Some((kind @ ("Purchase Agreement Created" | "Purchase Agreement Amended"), "Manufacturer" | "Proposer")) => {
            let event = agreement(event.detail, stamp, AgreementStatus::Active)?;
            Ok(Message::Agreement { event, amends: kind == "Purchase Agreement Amended" })
        }
        Some(("Purchase Agreement Ended", "Manufacturer" | "Proposer")) => {
            let event = agreement(event.detail, stamp, AgreementStatus::Unknown)?;
            Ok(Message::Agreement { event, amends: false })
        }
        Some(("Purchase Agreement Advisory Issued", "Manufacturer" | "Proposer")) => {
            let (agreement, reported) = advisory(event.detail)?;
            let issued_at = reported.issued_at.or(Some(stamp.at));
            Ok(Message::Advisory(agreement, Advisory { issued_at, resolved_at: None }))
        }
        Some(("Purchase Agreement Advisory Resolved", "Manufacturer" | "Proposer")) => {
            let (agreement, reported) = advisory(event.detail)?;
            let resolved_at = reported.resolved_at.or(Some(stamp.at));
            Ok(Message::Advisory(agreement, Advisory { issued_at: None, resolved_at }))
        }
        _ => Ok(Message::Other(event.detail_type)),
    }
}

fn advisory(detail: Value) -> Result<(AgreementId, AdvisoryPart), Unreadable> {
    let AdvisoryDetail { agreement, advisory } = part("detail", detail)?;
    Ok((agreement.id, advisory))
}

fn license(
    detail: Value,
    entitlements: bool,
    event: impl FnOnce(AgreementId) -> LicenseEvent,
) -> Result<Message, Unreadable> {
    let detail: LicenseDetail = part("detail", detail)?;
    let update = LicenseUpdate {
        license: detail.license.arn.id().clone(),
        product: detail.product.code,
        arn: Some(detail.license.arn),
        account: Some(detail.acceptor.account_id),
        customer: None,
        event: Some(event(detail.agreement.id)),
    };
    Ok(Message::License { update, entitlements })
}

/// Reads an agreement event. `otherwise` is the status if the event names none or `ACTIVE`.
fn agreement(detail: Value, stamp: EventStamp, otherwise: AgreementStatus) -> Result<AgreementEvent, Unreadable> {
    let AgreementDetail { agreement } = part("detail", detail)?;
    let said = agreement.status.as_deref().map(AgreementStatus::read);
    Ok(AgreementEvent {
        agreement: agreement.id,
        stamp,
        status: said.filter(|status| *status != AgreementStatus::Active).unwrap_or(otherwise),
        previous: agreement.previous_agreement_id,
        starts_at: agreement.start_time,
    })
}

/// The envelope of an SNS notification, as SQS gets it without raw message delivery.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    message_id: String,
    message: String,
    timestamp: Timestamp,
}

/// The content that AWS Marketplace puts into the notification. Its values may have whitespace around them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Change {
    action: String,
    customer_identifier: String,
    product_code: String,
    #[serde(default, rename = "isFreeTrialTermPresent")]
    free_trial: Value,
}

fn read_notification(notification: Notification) -> Result<Message, Unreadable> {
    let message = serde_json::from_str(&notification.message)
        .map_err(|_| Unreadable::Field { part: "Message", problem: "not JSON".to_owned() })?;
    let change: Change = part("Message", message)?;
    let customer: CustomerIdentifier = trimmed("customer-identifier", &change.customer_identifier)?;
    let product: ProductCode = trimmed("product-code", &change.product_code)?;
    let stamp = EventStamp { at: notification.timestamp, event: notification.message_id };
    let event = match change.action.trim() {
        "subscribe-success" => Some(LicenseEvent::Subscribed { stamp, free_trial: is_true(&change.free_trial) }),
        "subscribe-fail" => Some(LicenseEvent::SubscribeFailed(stamp)),
        "unsubscribe-pending" => Some(LicenseEvent::Unsubscribing(stamp)),
        "unsubscribe-success" => Some(LicenseEvent::Unsubscribed(stamp)),
        "entitlement-updated" => None,
        other => return Ok(Message::Other(other.chars().take(80).collect())),
    };
    let entitlements = matches!(event, None | Some(LicenseEvent::Subscribed { .. }));
    let update = LicenseUpdate {
        license: LicenseId::legacy(&product, &customer),
        product,
        arn: None,
        account: None,
        customer: Some(customer),
        event,
    };
    Ok(Message::License { update, entitlements })
}

fn trimmed<T: std::str::FromStr>(part: &'static str, text: &str) -> Result<T, Unreadable>
where
    T::Err: std::fmt::Display,
{
    text.trim().parse().map_err(|error: T::Err| Unreadable::Field { part, problem: error.to_string() })
}

/// Reads a boolean: AWS sends `isFreeTrialTermPresent` as a string.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case("true")))
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
