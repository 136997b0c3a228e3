//! The seller's API under `/v1`: documents, paths, queries, cursors, and CSV files of customers.

use ::entitlement::EntitlementApi;
use ::usage::UsageApi;
use serde_json::{Value, json};

use crate::invocation::{Answer, TABLE, answer, event};
use crate::table::written;
use crate::usage::records;

const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:fuzz";

/// Calls the function that serves the path.
fn call(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let of_usage = path.starts_with("/v1/usage") || path.split('?').next().is_some_and(|path| path.ends_with("/usage"));
    let event = event(method, path, headers, body);
    if of_usage {
        answer(async |config, clock, event| UsageApi::new(&config, TABLE, clock).handle(event).await, event)
    } else {
        let function =
            async |config, clock, event| EntitlementApi::new(&config, TABLE, TOPIC, clock).handle(event).await;
        answer(function, event)
    }
}

/// Fuzzes a call: a line with method and path, a line with the content type, a line with the idempotency key, and the
/// body.
///
/// A refused call has a problem document and has written nothing. Every written item has a key that is valid for its
/// kind.
pub fn api(input: &[u8]) {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let [line, content_type, key, body] = [next(), next(), next(), next()];
    let [line, content_type, key] = [line, content_type, key].map(std::str::from_utf8);
    let (Ok(line), Ok(content_type), Ok(key)) = (line, content_type, key) else { return };
    let Some((method, path)) = line.split_once(' ') else { return };
    if !is_token(method) || !path.starts_with('/') || !is_header(content_type) || !is_header(key) {
        return;
    }
    let answer = call(method, path, &[("content-type", content_type), ("idempotency-key", key)], body);
    let document = answer.document();
    written(&answer.calls);
    if answer.status == 503 {
        let marketplace =
            answer.calls.iter().any(|call| ["DescribeAgreement", "GetEntitlements"].contains(&call.operation.as_str()));
        assert!(marketplace, "everything else answers: {document}");
    }
}

/// Returns `true` if API Gateway accepts the method.
fn is_token(method: &str) -> bool {
    (1..=20).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_header(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Fuzzes a cursor, passed to each list. An accepted cursor continues the list of the request and no other.
pub fn cursors(input: &[u8]) {
    let cursor: String = form_urlencoded::byte_serialize(input).collect();
    for list in [
        "/v1/licenses?cursor=",
        "/v1/licenses?state=ended&cursor=",
        "/v1/licenses?account=111122223333&cursor=",
        "/v1/licenses/l-1/events?cursor=",
        "/v1/licenses/l-1/usage?cursor=",
        "/v1/usage/pending?cursor=",
        "/v1/usage/problems?cursor=",
        "/v1/usage/problems?kind=refused&cursor=",
    ] {
        let answer = call("GET", &format!("{list}{cursor}"), &[], b"");
        let document = answer.document();
        assert!(!answer.has_written());
        let queries: Vec<&Value> =
            answer.calls.iter().filter(|call| call.operation == "Query").map(|call| &call.body).collect();
        match answer.status {
            200 => queries.into_iter().for_each(assert_goes_on),
            400 => {
                assert_eq!(document["code"], "parameter_invalid", "{list}");
                assert!(queries.is_empty(), "{list} was read from a cursor that is refused");
            }
            status => panic!("{list} is answered {status}"),
        }
    }
}

/// Asserts that a query with a start key stays in the partition that it asks for.
fn assert_goes_on(query: &Value) {
    let start = &query["ExclusiveStartKey"];
    if start.is_null() {
        return;
    }
    let hashed_by = match query["IndexName"].as_str() {
        None => "pk",
        Some("account") => "account_key",
        Some("state") => "state_key",
        Some("work") => "work_key",
        Some(other) => panic!("no list is read from {other}"),
    };
    let asked = query["ExpressionAttributeValues"].as_object().expect("what is asked for");
    assert!(asked.values().any(|value| *value == start[hashed_by]), "{query}");
}

/// Fuzzes a CSV file of customers. Every row has a result under its line. A dry run has the same results and writes
/// nothing.
pub fn import_csv(input: &[u8]) {
    let headers = [("content-type", "text/csv")];
    let tried = call("POST", "/v1/imports?dry_run=true", &headers, input);
    assert!(!tried.has_written());
    let done = call("POST", "/v1/imports", &headers, input);
    assert_eq!(tried.status, done.status);
    let (mut tried, report) = (tried.document(), done.document());
    if done.status == 400 {
        return;
    }
    assert_eq!(done.status, 200);
    assert_eq!(tried["dry_run"].take(), json!(true));
    for counted in ["imported", "unchanged", "refused", "results"] {
        assert_eq!(tried[counted], report[counted]);
    }
    let results = report["results"].as_array().expect("results");
    let text = std::str::from_utf8(input).expect("nothing else is read");
    assert_eq!(results.len() + 1, records(text).len());
    let count = |name: &str| report[name].as_u64().expect("a count");
    assert_eq!(count("imported") + count("unchanged") + count("refused"), results.len() as u64);
    assert!(count("imported") > 0 || !done.has_written());
    for ((_, sk), item) in written(&done.calls) {
        if sk == "CONTACT" {
            let email = item["email"]["S"].as_str().expect("an address");
            assert!(email.contains('@') && !email.contains(char::is_whitespace), "{email:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_input_is_accepted() {
        let file = include_bytes!("../corpus/import_csv/license");
        let imported = call("POST", "/v1/imports", &[("content-type", "text/csv")], file);
        assert_eq!(imported.document()["imported"], 1);
        assert!(written(&imported.calls).keys().any(|(_, sk)| sk == "CONTACT"));
        let headers = [("content-type", "application/json"), ("idempotency-key", "key")];
        let code = json!({ "code": crate::table::SECRET }).to_string();
        assert_eq!(call("POST", "/v1/handoffs", &headers, code.as_bytes()).status, 200);
        let cursor = include_str!("../corpus/cursors/account");
        let list = call("GET", &format!("/v1/licenses?account=111122223333&cursor={cursor}"), &[], b"");
        assert!(list.calls.iter().any(|call| !call.body["ExclusiveStartKey"].is_null()));
    }
}
