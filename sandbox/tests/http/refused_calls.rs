//! Control calls that axum itself would refuse or accept: every refusal is a problem document.

use super::*;

/// Returns the problem document of an answer.
pub(super) async fn problem(answer: Response, status: u16, of: &str) -> Value {
    assert_eq!(answer.status(), status, "{of}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{of}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_query_has_each_of_its_parameters_once_and_no_other() {
    let sandbox = TestSandbox::start().await;
    sandbox.buy("demo-subscription").await;
    let cases = [
        ("GET", "/sandbox/events?stage=staging&stage=staging", "duplicate field `stage`"),
        ("GET", "/sandbox/wire?service=metering&service=dynamodb", "duplicate field `service`"),
        ("GET", "/sandbox/wire?nope=1", "unknown field `nope`, expected `service` or `operation`"),
        ("GET", "/sandbox/events?nope=1", "unknown field `nope`, expected `stage`"),
        ("GET", "/sandbox/bill?stage=staging", "unknown field `stage`, expected `product`"),
        ("GET", "/sandbox/purchases?nope=1", "unknown field `nope`"),
        ("GET", "/sandbox/queues?stage=staging", "unknown field `stage`"),
        ("GET", "/sandbox/catalog?product=demo-contract", "unknown field `product`"),
        ("DELETE", "/sandbox/wire?service=metering", "unknown field `service`"),
        ("POST", "/sandbox/clock?advance=1h", "unknown field `advance`"),
    ];
    for (method, path, part) in cases {
        let request = sandbox.client.request(method.parse().unwrap(), sandbox.url(path));
        let answer = request.json(&json!({ "advance": "1h" })).send().await.unwrap();
        let problem = problem(answer, 400, path).await;
        assert_eq!(problem["code"], "parameter_invalid", "{path} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{path} {problem}");
    }
    for path in ["/sandbox/events?stage=%ff", "/sandbox/wire?service=%ff"] {
        let answer = sandbox.client.get(sandbox.url(path)).send().await.unwrap();
        problem(answer, 400, path).await;
    }
    assert_eq!(sandbox.now().to_string(), START, "nothing was done");
    assert!(!sandbox.get("/sandbox/wire").await["calls"].as_array().unwrap().is_empty(), "nothing was forgotten");
}

#[tokio::test]
async fn an_agreement_in_the_path_must_be_utf_8() {
    let sandbox = TestSandbox::start().await;
    for path in ["/sandbox/agreements/%ff", "/sandbox/agreements/%ff/token"] {
        let answer = sandbox.client.post(sandbox.url(path)).json(&json!({ "action": "end" })).send().await.unwrap();
        let problem = problem(answer, 400, path).await;
        assert_eq!(problem["code"], "parameter_invalid");
        assert_eq!(problem["detail"], "agreement: it must be percent-encoded UTF-8");
    }
}

#[tokio::test]
async fn a_body_over_two_megabytes_is_not_read() {
    let sandbox = TestSandbox::start().await;
    let megabyte = 1024 * 1024;
    for (bytes, status, code) in [(2 * megabyte, 400, "body_invalid"), (2 * megabyte + 1, 413, "body_too_large")] {
        let answer = sandbox.client.post(sandbox.url("/sandbox/deliver")).body(vec![b' '; bytes]).send().await.unwrap();
        let problem = problem(answer, status, code).await;
        assert_eq!(problem["code"], code);
        assert!(problem["action"].is_string());
    }
}

#[tokio::test]
async fn an_unsupported_method_is_answered_with_the_allowed_ones() {
    let sandbox = TestSandbox::start().await;
    let cases = [
        ("DELETE", "/sandbox/purchases", "GET,HEAD,POST"),
        ("POST", "/sandbox/listings", "GET,HEAD"),
        ("GET", "/sandbox/deliver", "POST"),
        ("PUT", "/sandbox/wire", "GET,HEAD,DELETE"),
        ("GET", "/sandbox/agreements/agmt-1/token", "POST"),
        ("GET", "/sandbox/catalog/prod-1", "PATCH,DELETE"),
        ("GET", "/sandbox/review", "POST"),
    ];
    for (method, path, allowed) in cases {
        let answer = sandbox.client.request(method.parse().unwrap(), sandbox.url(path)).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
        let problem = problem(answer, 405, path).await;
        assert_eq!(problem["code"], "method_not_allowed");
        assert_eq!(problem["detail"], format!("{method} {path}"));
    }
}

#[tokio::test]
async fn a_json_array_is_not_accepted_as_an_object() {
    let sandbox = TestSandbox::start().await;
    let cases = [
        ("/sandbox/purchases", r#"["demo-subscription", null, {}, false, false]"#),
        ("/sandbox/deliver", "[null, true]"),
        ("/sandbox/clock", r#" ["1h"]"#),
        ("/sandbox/faults", r#"["metering"]"#),
        ("/sandbox/behavior", "[]"),
        ("/sandbox/dimensions", r#"["demo-subscription", "requests", false]"#),
        ("/sandbox/agreements/agmt-1", r#"["end"]"#),
        ("/sandbox/deliver", "null"),
        ("/sandbox/deliver", ""),
        ("/sandbox/deliver", "{"),
        ("/sandbox/deliver", r#"{"hold": true, "hold": true}"#),
    ];
    for (path, body) in cases {
        let answer = sandbox.client.post(sandbox.url(path)).body(body).send().await.unwrap();
        let problem = problem(answer, 400, path).await;
        assert_eq!(problem["code"], "body_invalid", "{path} {body} {problem}");
        let about_object = problem["detail"] == "the body must be a JSON object";
        assert_eq!(about_object, !body.starts_with('{'), "{path} {body} {problem}");
    }
    assert_eq!(sandbox.now().to_string(), START);
    assert_eq!(sandbox.get("/sandbox/purchases").await["agreements"], json!([]));
    assert_eq!(sandbox.get("/sandbox/queues").await["staging"]["held"], false);
}
