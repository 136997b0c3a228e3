use aws_lambda_events::encodings::Body;
use axum::extract::OriginalUri;
use axum::routing::get;
use serde_json::{Value, json};

use super::*;
use crate::http::extract::{Caller, Host, Parsed, Path, Query, ReceivedAt, TextBody};

/// An event with these members beside what every event of API Gateway has.
fn event(change: Value) -> ApiGatewayV2httpRequest {
    let mut event = json!({
        "version": "2.0",
        "rawPath": "/v1/tenants/acme",
        "rawQueryString": "",
        "headers": { "host": "api.example.com", "x-forwarded-proto": "https" },
        "requestContext": {
            "domainName": "api.example.com",
            "http": { "method": "GET" },
            "stage": "$default",
            "timeEpoch": 1_793_000_000_000_i64,
        },
        "isBase64Encoded": false,
    });
    for (name, value) in change.as_object().unwrap() {
        event[name] = value.clone();
    }
    serde_json::from_value(event).unwrap()
}

/// Answers what the handler of `/v1/tenants/{tenant}` was given.
fn routes() -> Router {
    let tenant = async |Path(tenant): Path<String>, Query(query): Query<Vec<(String, String)>>| {
        axum::Json(json!({ "tenant": tenant, "query": query })).into_response()
    };
    let body = async |body: TextBody| match body.text("text/plain") {
        Ok(text) => text.to_owned(),
        Err(error) => error.to_string(),
    };
    let context = async |Caller(caller): Caller, Host(host): Host, ReceivedAt(at): ReceivedAt| {
        axum::Json(json!([caller, host, at.to_string()]))
    };
    let number = async |Path(Parsed(number)): Path<Parsed<u8>>| number.to_string();
    crate::http::api(
        Router::new()
            .route("/v1/tenants/{tenant}", get(tenant).post(body))
            .route("/v1/numbers/{number}", get(number))
            .route("/context", get(context))
            .route("/cookies", get(async |OriginalUri(uri): OriginalUri| ([("set-cookie", "a=1")], uri.to_string()))),
    )
}

async fn answered(event: ApiGatewayV2httpRequest) -> (i64, Value) {
    let answer = answer_api(&routes(), event).await;
    let Some(Body::Text(text)) = answer.body else { panic!("{:?}", answer.body) };
    (answer.status_code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn a_path_is_decoded_once() {
    // API Gateway has decoded these once: what looks percent-encoded still is the caller's own.
    for tenant in ["acme", "a%62", "a b", "ü", "a+b", "50%", "a?b", "a#b", "a\\b", "a;b=c", "%2e%2e", "'\"<>|^`{}[]"] {
        let (status, body) = answered(event(json!({ "rawPath": format!("/v1/tenants/{tenant}") }))).await;
        assert_eq!((status, &body["tenant"]), (200, &json!(tenant)));
    }
}

#[tokio::test]
async fn a_path_that_a_url_would_make_another_is_not_served() {
    for path in ["/v1/x/../tenants/acme", "/v1/./tenants/acme", "/v1/tenants/..", "/v1/tenants/."] {
        let (status, body) = answered(event(json!({ "rawPath": path }))).await;
        assert_eq!((status, &body["code"]), (404, &json!("route_unknown")), "{path}");
    }
}

#[tokio::test]
async fn what_lambda_http_would_panic_at_is_refused() {
    let encoded = |body: &str| event(json!({ "body": body, "isBase64Encoded": true }));
    assert_eq!(answered(encoded("%%%")).await.1["code"], "body_unreadable");
    for host in ["a b", "[::", "host:port", "user@host", "host/v1/x?", "host#", ""] {
        let (status, body) = answered(event(json!({ "headers": { "host": host } }))).await;
        assert_eq!((status, &body["code"]), (404, &json!("route_unknown")), "{host:?}");
    }
    for scheme in ["", "java script", "1"] {
        let headers = json!({ "host": "api.example.com", "x-forwarded-proto": scheme });
        assert_eq!(answered(event(json!({ "headers": headers }))).await.1["code"], "route_unknown", "{scheme:?}");
    }
    for query in ["a b", "a=\"", "ü=1"] {
        let (status, _) = answered(event(json!({ "rawQueryString": query }))).await;
        assert!([200, 404].contains(&status), "{query:?}");
    }
}

#[tokio::test]
async fn the_stage_is_not_part_of_the_path() {
    for (stage, path, expected) in [
        ("$default", "/v1/tenants/acme", 200),
        ("$default", "/$default/v1/tenants/acme", 404),
        ("prod", "/prod/v1/tenants/acme", 200),
        ("prod", "/production/v1/tenants/acme", 404),
        ("v1", "/v1/tenants/acme", 404),
    ] {
        let context = json!({ "http": { "method": "GET" }, "stage": stage });
        let (status, _) = answered(event(json!({ "rawPath": path, "requestContext": context }))).await;
        assert_eq!(status, expected, "{stage} {path}");
    }
}

#[tokio::test]
async fn a_body_is_read_plain_and_in_base64() {
    let context = json!({ "http": { "method": "POST" } });
    let headers = json!({ "content-type": "text/plain; charset=utf-8" });
    let sent = |body: String, is_base64: bool| {
        event(json!({ "headers": headers, "requestContext": context, "body": body, "isBase64Encoded": is_base64 }))
    };
    assert_eq!(answered(sent("é".to_owned(), false)).await, (200, json!("é")));
    assert_eq!(answered(sent(STANDARD.encode("é"), true)).await, (200, json!("é")));
    assert_eq!(answered(sent(STANDARD.encode([0xff]), true)).await, (200, json!("the body is not UTF-8 text")));
    let largest = "a".repeat(crate::http::MAX_BODY_BYTES);
    for (text, expected) in [(largest.clone(), 200), (largest + "a", 413)] {
        assert_eq!(answered(sent(STANDARD.encode(&text), true)).await.0, expected);
        assert_eq!(answered(sent(text, false)).await.0, expected);
    }
}

#[tokio::test]
async fn handlers_read_what_api_gateway_knows_of_a_request() {
    let context = json!({
        "authorizer": { "iam": { "userArn": "arn:aws:iam::111122223333:user/application" } },
        "domainName": "abc.execute-api.us-east-1.amazonaws.com",
        "http": { "method": "GET" },
        "timeEpoch": 1_793_000_000_000_i64,
    });
    let (status, body) =
        answered(event(json!({ "rawPath": "/context", "headers": {}, "requestContext": context }))).await;
    let expected = json!([
        "arn:aws:iam::111122223333:user/application",
        "abc.execute-api.us-east-1.amazonaws.com",
        "2026-10-26T07:33:20Z",
    ]);
    assert_eq!((status, body), (200, expected));
}

#[tokio::test]
async fn a_problem_is_a_document_with_code_and_action() {
    let answer = answer_api(&routes(), event(json!({ "rawPath": "/v1/numbers/256" }))).await;
    assert_eq!(answer.status_code, 400);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let Some(Body::Text(text)) = answer.body else { panic!("{:?}", answer.body) };
    let expected = json!({
        "type": "urn:stallkeeper:problem:parameter_invalid",
        "title": "A parameter is invalid.",
        "status": 400,
        "code": "parameter_invalid",
        "detail": "number: number too large to fit in target type",
        "action": "Correct the parameter and send the request again.",
    });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_answered_with_those_that_it_has() {
    let context = json!({ "http": { "method": "DELETE" } });
    let answer = answer_api(&routes(), event(json!({ "requestContext": context }))).await;
    assert_eq!(answer.status_code, 405);
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
}

#[tokio::test]
async fn cookies_are_answered_in_their_own_member() {
    let answer = answer_api(&routes(), event(json!({ "rawPath": "/cookies" }))).await;
    assert_eq!((answer.cookies, answer.headers.get("set-cookie")), (vec!["a=1".to_owned()], None));
}
