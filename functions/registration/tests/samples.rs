//! Passes every sample event through the handler, and checks that no input makes it panic or drop a security header.
//!
//! AWS is a closed port here, so what is right is answered 503; the end-to-end tests have the rest.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::LazyLock;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clock::Clock;
use lambda::setup::timeouts;
use proptest::prelude::*;
use registration::Registration;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static FUNCTION: LazyLock<Registration> = LazyLock::new(|| {
    let credentials = Credentials::new("none", "none", None, None, "tests");
    let closed_port = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url("http://127.0.0.1:1")
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .build();
    // Whether a place in the code logs is remembered when it is first passed. So the log is the whole process's and there
    // before anything can be.
    tracing_subscriber::fmt().json().with_env_filter("info,registration=trace").with_writer(|| Log).init();
    Registration::new(&closed_port, "none", Clock::System)
});

/// The answer, with what every answer must have; none if the event is none of API Gateway's.
fn handle(event: Value) -> Option<ApiGatewayV2httpResponse> {
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event).ok()?;
    let answer = RUNTIME.block_on(FUNCTION.handle(event));
    assert!((200..=599).contains(&answer.status_code), "{}", answer.status_code);
    let header = |name: &str| answer.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap();
    assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(header("strict-transport-security"), "max-age=63072000");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "same-origin");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("vary"), "Accept, Accept-Language, Cookie");
    assert!(["en", "ja"].contains(&header("content-language")));
    assert!(header("permissions-policy").contains("camera=()"));
    assert_eq!(answer.headers.contains_key("allow"), answer.status_code == 405);
    Some(answer)
}

fn text(answer: &ApiGatewayV2httpResponse) -> &str {
    match &answer.body {
        Some(Body::Text(text)) => text,
        _ => "",
    }
}

fn code(answer: &ApiGatewayV2httpResponse) -> &str {
    answer.headers["x-stallkeeper-code"].to_str().unwrap()
}

#[test]
fn every_sample_has_its_answer() {
    let expected = [
        ("bad-base64", 400, "body_unreadable", "en"),
        ("no-session", 400, "session_missing", "ja"),
        ("no-token", 400, "token_missing", "en"),
        ("register-details", 503, "unavailable", "en"),
        ("register-details-cross-site", 403, "cross_site", "en"),
        ("register-page", 503, "unavailable", "en"),
        ("register-page-japanese", 503, "unavailable", "ja"),
        ("register-post", 503, "aws_unavailable", "en"),
        ("register-post-plain", 503, "aws_unavailable", "en"),
        ("register-status", 503, "unavailable", "en"),
        ("unknown-route", 404, "route_unknown", "en"),
        ("wrong-method", 405, "method_not_allowed", "en"),
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/registration");
    let name = |path: &std::path::Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let there: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| name(&entry.unwrap().path())).collect();
    assert_eq!(there, expected.iter().map(|(name, ..)| (*name).to_owned()).collect());
    for (name, status, its_code, language) in expected {
        let sample = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
        let answer = handle(serde_json::from_str(&sample).unwrap()).unwrap();
        assert_eq!((answer.status_code, code(&answer)), (status, its_code), "{name}");
        assert_eq!(answer.headers["content-language"], language, "{name}");
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{name}");
        assert!(answer.cookies.is_empty(), "{name}");
        let body = text(&answer);
        if name == "register-status" {
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            let document: Value = serde_json::from_str(body).unwrap();
            assert_eq!((&document["code"], &document["status"]), (&json!(its_code), &json!(status)));
        } else {
            assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
            assert!(body.contains(&format!("<html lang=\"{language}\">")), "{name}");
        }
        for secret in ["sampleToken", "__Host-", "buyer@example.com", "c2FtcGxl"] {
            assert!(!body.contains(secret), "{name} repeats {secret}");
        }
    }
}

thread_local! {
    /// The log of the function on this thread, that is in this test.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_failure_is_logged_by_its_code_and_without_anything_of_the_buyers() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/registration");
    for entry in std::fs::read_dir(folder).unwrap() {
        let sample = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        handle(serde_json::from_str(&sample).unwrap()).unwrap();
    }
    let log = String::from_utf8(LOG.take()).unwrap();
    for code in ["token_missing", "aws_unavailable", "unavailable", "body_unreadable", "cross_site"] {
        assert!(log.contains(&format!("\"code\":\"{code}\"")), "{code} is not in {log}");
    }
    for secret in ["sampleToken", "__Host-", "buyer@", "Example Buyer", "c2FtcGxl", "192.0.2.1"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn request(method: &str, path: &str, query: &str, body: &str, base64: bool) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query, "body": body, "isBase64Encoded": base64,
        "headers": { "content-type": FORM, "host": "localhost", "sec-fetch-site": "same-origin" },
        "requestContext": { "http": { "method": method, "path": path }, "timeEpoch": 0 },
    })
}

#[test]
fn a_body_that_cannot_be_read_is_refused_with_a_page() {
    let not_utf8 = STANDARD.encode([0xff, 0xfe, 0x00]);
    let too_large = "x".repeat(10 * 1024 * 1024);
    for path in ["/register", "/register/details"] {
        for (body, base64, status, expected) in [
            ("%%%", true, 400, "body_unreadable"),
            (not_utf8.as_str(), true, 400, "body_unreadable"),
            (too_large.as_str(), false, 413, "body_too_large"),
        ] {
            let answer = handle(request("POST", path, "", body, base64)).unwrap();
            assert_eq!((answer.status_code, code(&answer)), (status, expected));
        }
        let mut json = request("POST", path, "", "{}", false);
        json["headers"]["content-type"] = json!("application/json");
        let answer = handle(json).unwrap();
        assert_eq!((answer.status_code, code(&answer)), (400, "body_unreadable"));
    }
}

#[test]
fn a_method_that_is_not_allowed_is_answered_with_the_allowed_ones() {
    for (path, allowed) in
        [("/register", "GET,HEAD,POST"), ("/register/details", "POST"), ("/register/status", "GET,HEAD")]
    {
        let answer = handle(request("OPTIONS", path, "", "", false)).unwrap();
        assert_eq!(answer.status_code, 405);
        assert_eq!(answer.headers["allow"], allowed);
    }
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    for path in ["/register", "/register/status"] {
        let (get, head) = (request("GET", path, "lang=ja", "", false), request("HEAD", path, "lang=ja", "", false));
        let (get, head) = (handle(get).unwrap(), handle(head).unwrap());
        assert_eq!((get.status_code, get.headers.clone()), (head.status_code, head.headers.clone()));
        assert!(!text(&get).is_empty() && text(&head).is_empty());
        assert_eq!(get.headers["content-language"], "ja");
    }
}

#[test]
fn an_event_that_no_route_can_take_is_answered_with_a_page() {
    let unreadable = request("POST", "/register", "lang=ja", "%%%", true);
    let not_normal = request("GET", "/register/../register", "lang=ja", "", false);
    let mut invalid = request("GET", "/register", "lang=ja", "", false);
    invalid["headers"]["host"] = json!("a b");
    for (mut event, status, expected) in
        [(unreadable, 400, "body_unreadable"), (not_normal, 404, "route_unknown"), (invalid, 404, "route_unknown")]
    {
        let page = handle(event.clone()).unwrap();
        assert_eq!((page.status_code, code(&page)), (status, expected));
        assert!(text(&page).contains("<html lang=\"ja\">"), "{expected}");
        event["headers"]["accept"] = json!("application/json");
        let document = handle(event.clone()).unwrap();
        assert_eq!(document.headers["content-type"], "application/problem+json");
        event["requestContext"]["http"]["method"] = json!("HEAD");
        assert_eq!(text(&handle(event).unwrap()), "");
    }
}

#[test]
fn a_form_of_another_site_is_refused_before_it_is_read() {
    let mut event = request("POST", "/register/details", "", &"x".repeat(2 * 1024 * 1024), false);
    event["headers"]["sec-fetch-site"] = json!("cross-site");
    let answer = handle(event).unwrap();
    assert_eq!((answer.status_code, code(&answer)), (403, "cross_site"));
}

#[test]
fn a_form_of_exactly_the_largest_size_is_read() {
    for (bytes, status, expected) in [(1024 * 1024, 400, "token_missing"), (1024 * 1024 + 1, 413, "body_too_large")] {
        let body = "x".repeat(bytes);
        for (body, base64) in [(STANDARD.encode(&body), true), (body, false)] {
            let answer = handle(request("POST", "/register", "", &body, base64)).unwrap();
            assert_eq!((answer.status_code, code(&answer)), (status, expected), "{bytes}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        base64 in any::<bool>(),
        encoded in any::<bool>(),
        path in prop::sample::select(vec!["/register", "/register/details"]),
    ) {
        let body = if encoded { STANDARD.encode(&bytes) } else { String::from_utf8_lossy(&bytes).into_owned() };
        let answer = handle(request("POST", path, "", &body, base64)).unwrap();
        prop_assert_eq!(answer.status_code, 400);
    }

    #[test]
    fn arbitrary_fields_never_panic(
        token in ".*", email in ".*", account in ".*", cookie in ".*", query in ".*", language in ".*", accept in ".*",
    ) {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("x-amzn-marketplace-token", &token)
            .append_pair("email", &email)
            .append_pair("account", &account)
            .finish();
        for path in ["/register", "/register/details"] {
            let mut event = request("POST", path, &query, &body, false);
            event["cookies"] = json!([cookie]);
            event["headers"]["accept-language"] = json!(language);
            event["headers"]["accept"] = json!(accept);
            if let Some(answer) = handle(event) {
                prop_assert!((400..=503).contains(&answer.status_code));
            }
        }
    }

    #[test]
    fn arbitrary_methods_and_paths_never_panic(method in "[A-Z]{1,9}|.*", path in "(/register)?(/details|/status)?.*") {
        let _ = handle(request(&method, &path, "", "", false));
    }

    #[test]
    fn arbitrary_json_never_panics(
        text in ".*", number in any::<i64>(),
        field in "body|headers|rawPath|rawQueryString|requestContext|cookies|isBase64Encoded|.*",
    ) {
        for value in [json!(text), json!(number), json!([text, number]), json!({ text.clone(): text }), Value::Null] {
            let mut event = request("POST", "/register", "", "", false);
            event[field.as_str()] = value.clone();
            let _ = handle(event);
            let _ = handle(value);
        }
    }
}
