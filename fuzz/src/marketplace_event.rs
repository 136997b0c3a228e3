//! The marketplace events queue, to which EventBridge and SNS send messages.

use aws_lambda_events::sqs::SqsEvent;
use serde_json::{Value, json};
use subscription::Subscription;

use crate::call::Call;
use crate::invocation::{TABLE, invoke};
use crate::table::{CONTRACT, SUBSCRIPTION, written};

/// Delivers messages. Returns the ids of those that have to be delivered again, and the calls to AWS.
fn deliver(bodies: &[&str]) -> (Vec<String>, Vec<Call>) {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(place, body)| json!({ "messageId": place.to_string(), "body": body }))
        .collect();
    let event: SqsEvent = serde_json::from_value(json!({ "Records": records })).expect("an event of SQS");
    let (response, calls) = invoke(async |config, clock| Subscription::new(&config, TABLE, clock).handle(event).await);
    (response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect(), calls)
}

/// Fuzzes a message.
///
/// Messages of a batch do not affect each other: the same message beside it has the same outcome, and an unreadable one
/// delays no other. A message that is not an event of AWS Marketplace, or is about a product without a listing here,
/// writes no license.
pub fn marketplace_event(input: &[u8]) {
    let Ok(body) = std::str::from_utf8(input) else { return };
    let (again, calls) = deliver(&[body]);
    assert!(again.is_empty() || again == ["0"]);
    for ((pk, sk), item) in written(&calls) {
        if pk.starts_with("LICENSE#") && sk == "LICENSE" {
            let product = item["product"]["S"].as_str().expect("a product");
            assert!([CONTRACT, SUBSCRIPTION].contains(&product), "{product}");
        }
    }
    let document: Option<Value> = serde_json::from_str(body).ok();
    if document.is_none() {
        assert_eq!(
            (again.len(), calls.len()),
            (1, 0),
            "a message that is not JSON is redelivered and becomes a dead letter"
        );
    }
    let is_notification = |document: &Value| document["Type"] == "Notification";
    let is_event = |document: &Value| document["source"] == "aws.agreement-marketplace";
    if !document.is_some_and(|document| is_notification(&document) || is_event(&document)) {
        assert!(calls.is_empty());
    }
    let (beside, _) = deliver(&["{}", body, body]);
    let expected: &[&str] = if again.is_empty() { &["0"] } else { &["0", "1", "2"] };
    assert_eq!(beside, expected);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_input_is_accepted() {
        let (again, calls) = deliver(&[include_str!("../corpus/marketplace_event/license-updated-subscription")]);
        assert!(again.is_empty() && written(&calls).keys().any(|(_, sk)| sk == "LICENSE"));
    }
}
