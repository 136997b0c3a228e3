//! The kind of a message, by its content: never personal data, and no token.

use serde_json::Value;

/// The most characters of a name that are shown.
const LONGEST: usize = 80;

/// Describes a message's kind in words.
pub(super) fn kind(body: &str) -> String {
    let Ok(message) = serde_json::from_str::<Value>(body) else {
        return format!("not JSON, {} bytes", body.len());
    };
    let of = |path: &str| message.pointer(path).and_then(Value::as_str).map(safe_name);
    if let Some(kind) = of("/detail-type") {
        return format!("Marketplace event: {kind}");
    }
    if let Some(inner) = message.get("Message").and_then(Value::as_str).filter(|_| message.get("TopicArn").is_some()) {
        let inner: Value = serde_json::from_str(inner).unwrap_or_default();
        let action = inner.get("action").and_then(Value::as_str).map(safe_name);
        return format!("SNS notification: {}", action.unwrap_or_else(|| "unknown action".to_owned()));
    }
    if let Some(first) = of("/DDBStreamBatchInfo/approximateArrivalOfFirstRecord") {
        let last = of("/DDBStreamBatchInfo/approximateArrivalOfLastRecord").unwrap_or_default();
        let size = message.pointer("/DDBStreamBatchInfo/batchSize").and_then(Value::as_u64).unwrap_or_default();
        return format!("{size} changes of the table from {first} to {last}");
    }
    if let Some(arn) = message.pointer("/requestContext/functionArn").and_then(Value::as_str) {
        let function = arn.split(":function:").nth(1).map(|name| safe_name(name.trim_end_matches(":$LATEST")));
        let error = of("/responsePayload/errorType").or_else(|| of("/requestContext/condition"));
        return format!("a run of {}: {}", function.unwrap_or_default(), error.unwrap_or_default());
    }
    if let (Some(kind), Some(license)) = (of("/type"), of("/license")) {
        return format!("event: {kind} of {license}");
    }
    let members = message.as_object().into_iter().flat_map(serde_json::Map::keys);
    format!("JSON of another kind, with {}", members.take(8).map(|name| safe_name(name)).collect::<Vec<_>>().join(", "))
}

/// Returns a name as it may be shown: each character that names do not have becomes `?`.
fn safe_name(text: &str) -> String {
    let of_a_name = |character: char| character.is_ascii_alphanumeric() || " -_.:~".contains(character);
    text.chars().take(LONGEST).map(|character| if of_a_name(character) { character } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_no_personal_data() {
        for (body, expected) in [
            (
                r#"{"detail-type": "License Updated - Manufacturer", "detail": {"x": "kim@example.com"}}"#,
                "Marketplace event: License Updated - Manufacturer",
            ),
            (
                r#"{"Type": "Notification", "TopicArn": "t", "Message": "{\"action\": \"subscribe-fail\", \"customer-identifier\": \"X01\"}"}"#,
                "SNS notification: subscribe-fail",
            ),
            (r#"{"TopicArn": "t", "Message": "token"}"#, "SNS notification: unknown action"),
            (
                r#"{"requestContext": {"functionArn": "arn:aws:lambda:us-east-1:444455556666:function:stack-MeteringFunction:$LATEST"},
                    "responsePayload": {"errorType": "StoreError", "errorMessage": "secret"}}"#,
                "a run of stack-MeteringFunction: StoreError",
            ),
            (
                r#"{"requestContext": {"condition": "RecordAgeExceeded"}, "DDBStreamBatchInfo": {"batchSize": 3,
                    "approximateArrivalOfFirstRecord": "2026-11-10T09:00:00Z",
                    "approximateArrivalOfLastRecord": "2026-11-10T09:01:00Z"}}"#,
                "3 changes of the table from 2026-11-10T09:00:00Z to 2026-11-10T09:01:00Z",
            ),
            (
                r#"{"type": "registration.completed", "license": "l-1", "tenant": "acme"}"#,
                "event: registration.completed of l-1",
            ),
            (r#"{"type": "kim@example.com", "license": "l-1"}"#, "event: kim?example.com of l-1"),
            (r#"{"email": "kim@example.com"}"#, "JSON of another kind, with email"),
            (r#""kim@example.com""#, "JSON of another kind, with "),
            ("kim@example.com", "not JSON, 15 bytes"),
        ] {
            assert_eq!(kind(body), expected);
        }
    }
}
