//! Requests that no SDK sends: other protocols, damaged bodies, services that do not exist.

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::fixture::{CONTRACT, LocalAws, start};

/// Returns a client that ignores the environment's proxies.
fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn aws_json(local: &LocalAws, target: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    client()
        .post(local.aws.url())
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.1")
        .body(body)
}

fn cbor(local: &LocalAws, path: &str, body: Vec<u8>) -> RequestBuilder {
    client()
        .post(format!("{}{path}", local.aws.url()))
        .header("smithy-protocol", "rpc-v2-cbor")
        .header("content-type", "application/cbor")
        .body(body)
}

fn cbor_of(value: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    ciborium::into_writer(value, &mut body).unwrap();
    body
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

const GET_ENTITLEMENTS: &str = "/service/AWSMPEntitlementService/operation/GetEntitlements";

#[tokio::test]
async fn entitlement_and_agreement_speak_aws_json_too() {
    let local = start().await;
    let bought = local.buy_contract();
    let body = json!({"ProductCode": CONTRACT}).to_string();
    let response = aws_json(&local, "AWSMPEntitlementService.GetEntitlements", body).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/x-amz-json-1.1");
    assert!(!header(&response, "x-amzn-requestid").is_empty());
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["Entitlements"][0]["Value"], json!({"IntegerValue": 5}));
    assert_eq!(answer["Entitlements"][0]["ExpirationDate"], 1_827_576_000);

    let body = json!({"agreementId": bought.agreement_id}).to_string();
    let target = "AWSMPCommerceService_v20200301.DescribeAgreement";
    let response = aws_json(&local, target, body).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/x-amz-json-1.0");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["status"], "ACTIVE");
}

#[tokio::test]
async fn errors_name_their_shape_in_each_protocol() {
    let local = start().await;
    let target = "AWSMPCommerceService_v20200301.DescribeAgreement";
    let body = json!({"agreementId": "agmt-0"});
    let response = aws_json(&local, target, body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let shape = "com.amazonaws.marketplaceagreement#ResourceNotFoundException";
    assert_eq!(header(&response, "x-amzn-errortype"), shape);
    let answer: Value = response.json().await.unwrap();
    assert_eq!((&answer["__type"], &answer["resourceId"]), (&json!(shape), &json!("agmt-0")));

    let path = "/service/AWSMPCommerceService_v20200301/operation/DescribeAgreement";
    let response = cbor(&local, path, cbor_of(&body)).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "smithy-protocol"), "rpc-v2-cbor");
    assert_eq!(header(&response, "content-type"), "application/cbor");
    let answer: Value = ciborium::from_reader(&response.bytes().await.unwrap()[..]).unwrap();
    assert_eq!(answer["__type"], shape);
}

#[tokio::test]
async fn a_malformed_or_wrongly_typed_request_is_a_serialization_exception() {
    let local = start().await;
    for body in ["{", "", "[]", "7", "{\"RegistrationToken\": 7}", "\u{0}"] {
        let request = aws_json(&local, "AWSMPMeteringService.ResolveCustomer", body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400);
        let expected = if body.is_empty() { "ValidationException" } else { "SerializationException" };
        assert!(header(&response, "x-amzn-errortype").ends_with(expected), "{body:?}");
    }
    let bodies = [
        b"\xa1".to_vec(),
        b"\xff\xff".to_vec(),
        b"\x80".to_vec(),
        cbor_of(&json!({"ProductCode": 7})),
        cbor_of(&json!({"ProductCode": CONTRACT, "MaxResults": "5"})),
        cbor_of(&json!({"ProductCode": CONTRACT, "Filter": ["x"]})),
        cbor_of(&json!({"ProductCode": CONTRACT, "Filter": {"DIMENSION": "seats"}})),
    ];
    for body in bodies {
        let response = cbor(&local, GET_ENTITLEMENTS, body).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let answer: Value = ciborium::from_reader(&response.bytes().await.unwrap()[..]).unwrap();
        assert_eq!(answer["__type"], "com.amazon.coral.service#SerializationException");
    }
}

#[tokio::test]
async fn an_unserved_operation_is_unknown() {
    let local = start().await;
    let named = |response: &Response| header(response, "x-amzn-errortype").ends_with("UnknownOperationException");
    for (target, status) in [
        ("AWSMPMeteringService.MeterUsage", 400),
        ("AWSMPEntitlementService.Nothing", 400),
        ("AmazonSQS.SendMessage", 400),
        ("TrentService.Encrypt", 404),
        ("nonsense", 404),
        ("", 404),
    ] {
        let response = aws_json(&local, target, "{}").send().await.unwrap();
        assert_eq!(response.status(), status, "{target}");
        assert!(named(&response), "{target}");
    }
    for path in ["/service/Other/operation/GetEntitlements", "/service/AWSMPEntitlementService", "/"] {
        assert_eq!(cbor(&local, path, Vec::new()).send().await.unwrap().status(), 404);
    }
    let response = client().get(local.aws.url()).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let answer = aws_json(&local, "DynamoDB_20120810.Nothing", "{}").send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("UnknownOperationException"), "DynamoDB says so itself: {answer}");
}

#[tokio::test]
async fn a_stopped_aws_frees_its_port_and_two_run_side_by_side() {
    let one = start().await;
    let other = start().await;
    assert_ne!(one.aws.url(), other.aws.url());
    one.buy_contract();
    assert!(other.aws.marketplace().overview().agreements.is_empty());
    let url = one.aws.url().to_owned();
    drop(one);
    // The server stops when the runtime next polls it.
    let stopped = async { while client().get(&url).send().await.is_ok() {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), stopped).await.unwrap();
}
