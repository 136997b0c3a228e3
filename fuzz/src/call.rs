//! The calls that the stand-in for AWS records.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

/// The operations that change something or send a message.
const WRITES: [&str; 8] = [
    "BatchMeterUsage",
    "BatchWriteItem",
    "DeleteItem",
    "Publish",
    "PutItem",
    "SendEmail",
    "TransactWriteItems",
    "UpdateItem",
];

/// A call that AWS received.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The operation's name.
    pub(crate) operation: String,
    /// The request: a JSON document as it is, a form as an object of strings.
    pub(crate) body: Value,
}

impl Call {
    /// Returns `true` if the call changes something or sends a message.
    pub(crate) fn is_write(&self) -> bool {
        WRITES.contains(&self.operation.as_str())
    }

    /// Reads a call from its request.
    pub(crate) fn read(request: &HttpRequest) -> Self {
        let bytes = request.body().bytes().unwrap_or_default();
        if let Some(target) = request.headers().get("x-amz-target") {
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            return Self { operation, body: serde_json::from_slice(bytes).unwrap_or_default() };
        }
        if request.uri().contains("/v2/email/outbound-emails") {
            return Self { operation: "SendEmail".to_owned(), body: serde_json::from_slice(bytes).unwrap_or_default() };
        }
        let form: serde_json::Map<String, Value> =
            form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into())).collect();
        let operation = form.get("Action").and_then(Value::as_str).map(str::to_owned);
        let in_path = || request.uri().rsplit('/').next().unwrap_or_default().to_owned();
        Self { operation: operation.unwrap_or_else(in_path), body: form.into() }
    }
}
