//! Passes every sample event through the handler, and checks that no input makes it panic.
//!
//! No AWS answers here, so what is right is answered 503; the end-to-end tests have the rest.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::sync::LazyLock;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::encodings::Body;
use clock::Clock;
use entitlement::EntitlementApi;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static FUNCTION: LazyLock<EntitlementApi> = LazyLock::new(|| {
    let nowhere = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    EntitlementApi::new(&nowhere, "none", "none", Clock::System)
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
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/entitlement");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (status, document) = handle(event).unwrap();
        let expected = match path.file_stem().unwrap().to_str().unwrap() {
            "bad-state" | "bad-quantity" | "bad-license" | "unknown-parameter" => (400, "parameter_invalid"),
            "bad-body" => (400, "body_invalid"),
            "bad-idempotency-key" => (400, "idempotency_key_invalid"),
            "handoff-no-code" => (410, "handoff_gone"),
            "bad-base64" => (400, "body_unreadable"),
            "unknown-route" => (404, "route_unknown"),
            "wrong-method" => (405, "method_not_allowed"),
            _ => (503, "unavailable"),
        };
        assert_eq!((status, document["code"].as_str().unwrap()), expected, "{}", path.display());
        for part in ["type", "title", "action"] {
            assert!(document[part].is_string(), "{} has no {part}", path.display());
        }
        assert_eq!(document["status"], status);
        seen += 1;
    }
    assert!(seen >= 23);
}

#[test]
fn a_refusal_says_what_would_be_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/entitlement/bad-state.json");
    let event = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (_, document) = handle(event).unwrap();
    assert_eq!(document["detail"], "state: must be one of pending, failed, active, ending, ended");
}

fn request(method: &str, path: &str, query: &str, body: &str, base64: bool) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query, "body": body, "isBase64Encoded": base64,
        "headers": { "content-type": "application/json" },
        "requestContext": { "http": { "method": method, "path": path } },
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), base64 in any::<bool>()) {
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let (status, _) = handle(request("PUT", "/v1/licenses/l-1/tenant", "", &body, base64)).unwrap();
        prop_assert_eq!(status, 400);
    }

    #[test]
    fn arbitrary_paths_and_queries_never_panic(path in "(/v1/(licenses|tenants)/)?.*", query in "((account|state|cursor|limit|dimension|quantity)=)?.*") {
        let (status, document) = handle(request("GET", &path, &query, "", false)).unwrap();
        prop_assert!((400..=503).contains(&status) && document["code"].is_string());
    }

    #[test]
    fn arbitrary_events_never_panic(text in ".*", field in "body|headers|rawPath|requestContext|cookies|.*", number in any::<i64>()) {
        let mut event = request("GET", "/v1/licenses", "", "", false);
        event[field.as_str()] = json!(text);
        let _ = handle(event.clone());
        event[field.as_str()] = json!({ "http": { "method": text, "path": number } });
        let _ = handle(event.clone());
        event[field.as_str()] = json!([number, text]);
        let _ = handle(event);
    }
}
