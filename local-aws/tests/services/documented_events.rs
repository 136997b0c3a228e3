//! Every event and notification has exactly the members that AWS documents, with the same JSON types: the ones that the
//! local AWS sends, and the samples in `events/subscription`.
//!
//! The tables below are read off the examples of the AWS Marketplace user guide: notifications-eventbridge ("Events for
//! agreements", "Events for licenses") and saas-notification.

use std::collections::{BTreeMap, BTreeSet};

use local_aws::MarketplaceEvent;
use serde_json::{Value, json};

use crate::fixture::{CONTRACT, LEGACY, LEGACY_CONTRACT, LocalAws, SUBSCRIPTION, start, text};

/// The members of an event's envelope. A member is a text, or has the type behind the colon; `null` is a text or null.
const ENVELOPE: &str = "version id detail-type source account time region resources:array";

/// The members that the details of all events about agreements and licenses have.
const COMMON: &str = "requestId catalog agreement.id acceptor.accountId proposer.accountId";

const OFFER: &str = "offer.id";
const PRODUCT: &str = "product.id product.title";
const TIMES: &str = "agreement.startTime agreement.endTime";
const TERMS: &str = "agreement.intent agreement.status agreement.acceptanceTime agreement.startTime agreement.endTime";
const PREVIOUS: &str = "agreement.previousAgreementId product.id product.title proposer.name";
/// "Resale Authorization Id in case of Channel Partner Private Offer (CPPO) will be populated, and in case of
/// Marketplace direct offer (MPPO), this value would be null."
const RESALE: &str = "resaleAuthorization.id:null";
/// The times and the party are null if there is no lockout period, and if neither party opted out.
const RENEWAL: &str =
    "agreement.autoRenewalEnabled:boolean renewalSummary.lockoutStartTime:null renewalSummary.disabledBy:null";
const RENEWAL_PRICE: &str = "renewalSummary.lockoutReached:boolean renewalSummary.tcv renewalSummary.currency";
const LICENSE: &str = "product.code product.id license.arn offer.id";

/// The members of each event's detail, by its detail-type and intent.
const EVENTS: [(&str, &[&str]); 12] = [
    ("Purchase Agreement Created - Proposer NEW", &[TERMS, RESALE, OFFER]),
    ("Purchase Agreement Created - Manufacturer NEW", &[TERMS, RESALE, OFFER]),
    ("Purchase Agreement Created - Proposer RENEW", &[TERMS, PREVIOUS, OFFER]),
    // AWS shows no example of it. It is assumed to be like that of a renewal, which follows another agreement too.
    ("Purchase Agreement Created - Proposer REPLACE", &[TERMS, PREVIOUS, OFFER]),
    ("Purchase Agreement Amended - Proposer AMEND", &[TERMS, RENEWAL, PRODUCT, RESALE, OFFER]),
    ("Purchase Agreement Ended - Proposer", &["agreement.status", RESALE, OFFER]),
    ("Purchase Agreement Advisory Issued - Manufacturer", &["product.id advisory.issuedAt", OFFER]),
    ("Purchase Agreement Advisory Resolved - Manufacturer", &["product.id advisory.resolvedAt", OFFER]),
    (
        "Purchase Agreement Ending - Proposer",
        &["agreement.status agreement.daysBeforeEndTime:number proposer.name", TIMES, RENEWAL, PRODUCT, OFFER],
    ),
    ("Purchase Agreement Renewal Upcoming - Proposer", &["proposer.name", TIMES, RENEWAL_PRICE, PRODUCT]),
    ("License Updated - Manufacturer", &[LICENSE]),
    ("License Deprovisioned - Manufacturer", &[LICENSE]),
];

/// The members of each notification, by its topic and action.
const NOTIFICATIONS: [(&str, &[&str]); 5] = [
    ("aws-mp-entitlement-notification entitlement-updated", &["action customer-identifier product-code"]),
    // "included in the notification only when the action is subscribe-success or subscribe-fail"
    (
        "aws-mp-subscription-notification subscribe-success",
        &["action customer-identifier product-code offer-identifier isFreeTrialTermPresent"],
    ),
    (
        "aws-mp-subscription-notification subscribe-fail",
        &["action customer-identifier product-code offer-identifier isFreeTrialTermPresent"],
    ),
    (
        "aws-mp-subscription-notification unsubscribe-pending",
        &["action customer-identifier product-code isFreeTrialTermPresent"],
    ),
    (
        "aws-mp-subscription-notification unsubscribe-success",
        &["action customer-identifier product-code isFreeTrialTermPresent"],
    ),
];

/// The events and notifications that the local AWS does not send.
const NEVER_SENT: [&str; 4] = [
    "Purchase Agreement Created - Manufacturer NEW",
    "Purchase Agreement Ending - Proposer",
    "Purchase Agreement Renewal Upcoming - Proposer",
    "aws-mp-subscription-notification subscribe-fail",
];

/// Returns the documented types of members by their paths.
fn documented(parts: &[&str]) -> BTreeMap<String, String> {
    let members = parts.iter().flat_map(|part| part.split_whitespace());
    let typed = members.map(|member| member.split_once(':').unwrap_or((member, "string")));
    typed.map(|(path, kind)| (path.to_owned(), kind.to_owned())).collect()
}

/// Returns the types of a document's members that are not objects, by their paths.
fn members(path: &str, value: &Value) -> BTreeMap<String, String> {
    let kind = match value {
        Value::Object(members) => {
            let inner = |(name, value): (&String, &Value)| {
                self::members(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value)
            };
            return members.iter().flat_map(inner).collect();
        }
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    BTreeMap::from([(path.to_owned(), kind.to_owned())])
}

/// Panics unless a document has exactly the documented members.
fn assert_members(name: &str, document: &Value, documented: BTreeMap<String, String>) {
    let mut members = members("", document);
    for (path, kind) in &mut members {
        if kind == "string" && documented.get(path).is_some_and(|documented| documented == "null") {
            "null".clone_into(kind);
        }
    }
    assert_eq!(members, documented, "{name}: {document:#}");
}

/// Compares an event with AWS's example, and returns the name of the example.
fn compare_event(event: &Value) -> &'static str {
    let intent = event.pointer("/detail/agreement/intent").and_then(Value::as_str).unwrap_or_default();
    let wanted = format!("{} {intent}", text(event, "/detail-type"));
    let known = EVENTS.into_iter().find(|(name, _)| *name == wanted.trim());
    let (name, parts) = known.unwrap_or_else(|| panic!("AWS documents no {wanted}"));

    let mut envelope = event.clone();
    let detail = envelope.as_object_mut().unwrap().remove("detail").unwrap();
    assert_members(name, &envelope, documented(&[ENVELOPE]));
    assert_members(name, &detail, documented(&[&[COMMON], parts].concat()));
    let agreement = text(&detail, "/agreement/id");
    assert_eq!(envelope["resources"], json!([format!("arn:aws:aws-marketplace::aws:agreement:{agreement}")]), "{name}");
    assert_eq!((text(event, "/source"), text(event, "/region")), ("aws.agreement-marketplace", "us-east-1"), "{name}");
    name
}

/// Compares a notification of a topic with AWS's example, and returns the name of the example.
fn compare_notification(topic: &str, message: &Value) -> &'static str {
    let topic = topic.strip_prefix("arn:aws:sns:us-east-1:287250355862:").unwrap();
    let (topic, product) = topic.rsplit_once('-').unwrap();
    assert_eq!(product, text(message, "/product-code").trim());
    let wanted = format!("{topic} {}", text(message, "/action").trim());
    let known = NOTIFICATIONS.into_iter().find(|(name, _)| *name == wanted);
    let (name, parts) = known.unwrap_or_else(|| panic!("AWS documents no {wanted}"));
    assert_members(name, message, documented(parts));
    name
}

/// Buys a product, and makes every change of the purchase for which the local AWS sends events.
fn run_lifecycle(local: &LocalAws, product: &str, dimensions: &Value) {
    let market = local.aws.marketplace();
    let mut agreement = local.buy(product, dimensions.clone()).agreement_id;
    let is_contract = dimensions.as_object().is_some_and(|dimensions| !dimensions.is_empty());
    let renewals = [json!({"action": "renew"}), json!({"action": "renew", "new_license": true})];
    let changes = [
        json!({"action": "amend", "dimensions": dimensions}),
        json!({"action": "replace", "dimensions": dimensions}),
        json!({"action": "advise"}),
        json!({"action": "resolve"}),
        json!({"action": "end"}),
    ];
    let renewals = renewals.into_iter().filter(|_| is_contract);
    for change in renewals.chain(changes) {
        agreement = market.change(&agreement, serde_json::from_value(change).unwrap()).unwrap().agreement_id;
    }
}

#[tokio::test]
async fn the_events_of_the_local_aws_match_the_documentation() {
    let mut local = start().await;
    run_lifecycle(&local, CONTRACT, &json!({"seats": 5}));
    run_lifecycle(&local, SUBSCRIPTION, &json!({}));
    run_lifecycle(&local, LEGACY, &json!({}));
    run_lifecycle(&local, LEGACY_CONTRACT, &json!({"seats": 5}));
    let compared = local.scheduled_events().into_iter().map(|scheduled| match scheduled.event {
        MarketplaceEvent::EventBridge(event) => compare_event(&event),
        MarketplaceEvent::Sns { topic_arn, message } => compare_notification(&topic_arn, &message),
    });
    let sent: BTreeSet<&str> = compared.collect();
    let all = EVENTS.iter().chain(&NOTIFICATIONS).map(|(name, _)| *name);
    let expected: BTreeSet<&str> = all.filter(|name| !NEVER_SENT.contains(name)).collect();
    assert_eq!(sent, expected);
}

#[test]
fn the_sample_events_match_the_documentation() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/subscription");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let batch: Value = serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        for record in batch["Records"].as_array().unwrap() {
            let Ok(body) = serde_json::from_str::<Value>(text(record, "/body")) else { continue };
            if body.get("detail-type").is_some() {
                seen.insert(compare_event(&body));
            } else if let Some(message) = body.get("Message") {
                let message = serde_json::from_str(message.as_str().unwrap()).unwrap();
                seen.insert(compare_notification(text(&body, "/TopicArn"), &message));
            }
        }
    }
    let all: BTreeSet<&str> = EVENTS.iter().chain(&NOTIFICATIONS).map(|(name, _)| *name).collect();
    assert_eq!(seen, all, "there is a sample of each");
}
