//! Passes every sample event through the handler, and checks that no input makes it panic.
//!
//! No AWS answers here, so messages that need the table return to the queue; the end-to-end tests cover the rest.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::LazyLock;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_lambda_events::sqs::SqsEvent;
use clock::Clock;
use proptest::prelude::*;
use serde_json::{Value, json};
use subscription::Subscription;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static FUNCTION: LazyLock<Subscription> = LazyLock::new(|| {
    let nowhere = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    Subscription::new(&nowhere, "none", Clock::System)
});

fn handle(event: Value) -> Option<Vec<String>> {
    let event: SqsEvent = serde_json::from_value(event).ok()?;
    let response = RUNTIME.block_on(FUNCTION.handle(event));
    Some(response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect())
}

fn handle_body(body: &Value) -> Option<Vec<String>> {
    handle(json!({ "Records": [{ "messageId": "a", "body": body.to_string() }] }))
}

#[test]
fn every_sample_is_handled() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/subscription");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let event: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let all: Vec<String> = event["Records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["messageId"].as_str().unwrap().to_owned())
            .collect();
        let expected = match path.file_stem().unwrap().to_str().unwrap() {
            "agreement-ending-notice" => vec![],
            "mixed-batch" => vec![all[1].clone()],
            _ => all,
        };
        assert_eq!(handle(event), Some(expected), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 22);
}

#[test]
fn an_empty_batch_is_nothing_to_do() {
    assert_eq!(handle(json!({ "Records": [] })), Some(vec![]));
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let key = prop_oneof!["detail-type|source|time|id|detail|agreement|license|product|arn|Type|Message|action", ".*"];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_reported_for_that_message_alone(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let readable = serde_json::from_str::<Value>(&body).is_ok();
        prop_assume!(!readable);
        let event = json!({ "Records": [{ "messageId": "a", "body": body }, { "messageId": "b", "body": body }] });
        prop_assert_eq!(handle(event), Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn arbitrary_json_never_panics(body in anything(), event in anything()) {
        let _ = handle(event);
        prop_assert!(handle_body(&body).is_some());
    }

    #[test]
    fn arbitrary_fields_in_a_real_envelope_never_panic(detail in anything(), time in ".*", kind in "License Updated - Manufacturer|Purchase Agreement Ended - Proposer|.*") {
        let body = json!({ "id": "e", "source": "aws.agreement-marketplace", "detail-type": kind, "time": time, "detail": detail });
        prop_assert!(handle_body(&body).is_some());
        let body = json!({ "Type": "Notification", "MessageId": "m", "Timestamp": time, "Message": detail.to_string() });
        prop_assert!(handle_body(&body).is_some());
    }
}
