//! Passes every sample event through the handler, and checks that no input makes it panic.
//!
//! No AWS answers here, so what is right is answered 503; the end-to-end tests have the rest.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::LazyLock;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::encodings::Body;
use clock::Clock;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use usage::UsageApi;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static FUNCTION: LazyLock<UsageApi> = LazyLock::new(|| {
    let nowhere = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    UsageApi::new(&nowhere, "none", Clock::System)
});

/// The status and the document of the answer; none if the event is none of API Gateway's.
fn handle(event: Value) -> Option<(i64, Value)> {
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event).ok()?;
    let response = RUNTIME.block_on(FUNCTION.handle(event));
    assert_eq!(response.headers["cache-control"], "no-store");
    let Some(Body::Text(body)) = response.body else { panic!("no document") };
    Some((response.status_code, serde_json::from_str(&body).unwrap()))
}

#[test]
fn every_sample_is_answered() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/usage");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (status, document) = handle(event).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let expected = match name {
            "report" | "report-mixed" | "report-csv" => {
                let statuses: Vec<&str> =
                    document["results"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
                // The table does not answer here: what is right is to be sent again.
                let all = match name {
                    "report" => vec!["retry", "retry"],
                    "report-csv" => vec!["retry", "retry", "refused"],
                    _ => vec!["refused"; 3],
                };
                assert_eq!((status, statuses), (200, all), "{name}");
                seen += 1;
                continue;
            }
            "no-events" | "bad-body" => (400, "body_invalid"),
            "bad-range" => (400, "parameter_invalid"),
            "wrong-method" => (405, "method_not_allowed"),
            _ => (503, "unavailable"),
        };
        assert_eq!((status, document["code"].as_str().unwrap()), expected, "{name}");
        seen += 1;
    }
    assert!(seen >= 8);
}

fn report(body: &str, base64: bool) -> Value {
    report_as("application/json", body, base64)
}

fn report_as(content_type: &str, body: &str, base64: bool) -> Value {
    json!({
        "version": "2.0", "rawPath": "/v1/usage", "body": body, "isBase64Encoded": base64,
        "headers": { "content-type": content_type },
        "requestContext": { "http": { "method": "POST", "path": "/v1/usage" } },
    })
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let key = prop_oneof!["license|dimension|quantity|time|key|revision|tags|events", ".*"];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..7)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), base64 in any::<bool>()) {
        let body = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert_eq!(handle(report(&body, base64)).unwrap().0, 400);
        prop_assert_eq!(handle(report_as("text/csv", &body, base64)).unwrap().0, 400);
    }

    #[test]
    fn arbitrary_rows_never_panic(rows in prop::collection::vec("([a-z0-9:,.\"-]|l-1){0,40}", 1..5)) {
        let body = format!("license,dimension,quantity,time,key\n{}", rows.join("\n"));
        prop_assert!([200, 400].contains(&handle(report_as("text/csv", &body, false)).unwrap().0));
    }

    #[test]
    fn arbitrary_json_never_panics(envelope in anything(), events in prop::collection::vec(anything(), 1..5)) {
        prop_assert!([200, 400].contains(&handle(report(&envelope.to_string(), false)).unwrap().0));
        let (status, answer) = handle(report(&json!({ "events": events }).to_string(), false)).unwrap();
        prop_assert_eq!(status, 200);
        prop_assert_eq!(answer["results"].as_array().unwrap().len(), events.len());
    }
}
