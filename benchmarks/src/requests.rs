//! The events that the functions are invoked with when their cold starts are measured: one event for each, as Lambda
//! passes it.

use clock::Clock;
use domain::license::License;
use jiff::Timestamp;
use serde_json::{Value, json};
use ulid::Ulid;

pub(crate) const TENANT: &str = "acme";

/// The license, dimension and cookie that events name.
pub(crate) struct Sample {
    pub(crate) license: License,
    pub(crate) dimension: String,
    /// The cookie of a buyer who has just arrived with a token.
    pub(crate) cookie: String,
}

pub(crate) fn http(method: &str, path: &str, query: &str, content_type: &str, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "content-type": content_type, "host": "api.example.com" },
        "requestContext": {
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "stage": "$default",
            "timeEpoch": Timestamp::now().as_millisecond(),
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// Returns the request of a buyer's browser for the registration page.
pub(crate) fn page(sample: &Sample, _: u32) -> Value {
    let mut request = http("GET", "/register", "", "text/html", "");
    if let Some(request) = request.as_object_mut() {
        request.insert("cookies".to_owned(), json!([sample.cookie]));
    }
    request
}

pub(crate) fn decision(sample: &Sample, _: u32) -> Value {
    let query = format!("dimension={}&quantity=1", sample.dimension);
    http("GET", &format!("/v1/tenants/{TENANT}/entitlements"), &query, "application/json", "")
}

/// Returns an operator's request for the history of the listing's steps.
pub(crate) fn history(sample: &Sample, _: u32) -> Value {
    let query = format!("product={}", sample.license.product);
    http("GET", "/v1/readiness/history", &query, "application/json", "")
}

/// Returns a report of one event of the current hour, a different event each time.
pub(crate) fn usage(sample: &Sample, number: u32) -> Value {
    let event = json!({
        "license": sample.license.id,
        "dimension": sample.dimension,
        "quantity": 1,
        "time": Timestamp::now(),
        "key": format!("event-{number}"),
    });
    http("POST", "/v1/usage", "", "application/json", &json!({ "events": [event] }).to_string())
}

pub(crate) fn schedule(_: &Sample, _: u32) -> Value {
    json!({})
}

/// Returns a license event that was applied before.
pub(crate) fn license_event(sample: &Sample, _: u32) -> Value {
    let License { arn, account, product, .. } = &sample.license;
    let body = json!({
        "version": "0",
        "id": "11111111-0000-4000-8000-000000000008",
        "detail-type": "License Updated - Manufacturer",
        "source": "aws.agreement-marketplace",
        "account": "444455556666",
        "time": "2026-11-10T08:59:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "requestId": "22222222-0000-4000-8000-000000000000",
            "catalog": "AWSMarketplace",
            "agreement": { "id": "agmt-5f0example1" },
            "product": { "code": product },
            "license": { "arn": arn },
            "acceptor": { "accountId": account },
        },
    });
    batch(&body)
}

/// Returns an event that is mailed to the buyer, a different one each time.
pub(crate) fn mail(sample: &Sample, _: u32) -> Value {
    batch(&json!({
        "version": 1,
        "id": Ulid::generate(),
        "license": sample.license.id,
        "product": sample.license.product,
        "tenant": TENANT,
        "sequence": 4,
        "at": Timestamp::now(),
        "type": "registration.completed",
    }))
}

/// Returns a batch of one message of a queue.
fn batch(body: &Value) -> Value {
    json!({ "Records": [{
        "messageId": "059f36b4-87a3-44ab-83d2-661975037880",
        "receiptHandle": "handle",
        "body": body.to_string(),
        "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1787227200000" },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:444455556666:stallkeeper-bench",
        "awsRegion": "us-east-1",
    }] })
}

/// Returns a stream record of one event of a license, as it is written to the table.
pub(crate) fn stream(sample: &Sample, _: u32) -> Value {
    let text = |value: String| json!({ "S": value });
    let id = Ulid::generate().to_string();
    let keys = json!({ "pk": text(format!("LICENSE#{}", sample.license.id)), "sk": text(format!("EVENT#{id}")) });
    let mut image = keys.clone();
    for (name, value) in [
        ("id", text(id)),
        ("license", text(sample.license.id.to_string())),
        ("product", text(sample.license.product.to_string())),
        ("tenant", text(TENANT.to_owned())),
        ("sequence", json!({ "N": "1" })),
        ("at", text(Clock::System.now().to_string())),
        ("type", text("license.activated".to_owned())),
    ] {
        if let Some(image) = image.as_object_mut() {
            image.insert(name.to_owned(), value);
        }
    }
    json!({ "Records": [{
        "eventID": "c4ca4238a0b923820dcc509a6f758491",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_787_227_200,
            "Keys": keys,
            "NewImage": image,
            "SequenceNumber": "111000000000000000001",
            "SizeBytes": 260,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:444455556666:table/stallkeeper-bench/stream/2026",
    }] })
}
