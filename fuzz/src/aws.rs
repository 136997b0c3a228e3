//! A stand-in for AWS: records the calls that it receives, and answers each call without regard to earlier ones.
//!
//! It decides nothing: no condition fails, and no write is visible to a later read. The end-to-end tests, which use the
//! sandbox, cover the behaviour that depends on state. Here every input meets the same state, thousands of times a
//! second.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use crate::call::Call;
use crate::table::{CONTRACT, item_at};

/// The stand-in for AWS. Clones share the recorded calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aws(Arc<Mutex<Vec<Call>>>);

/// Returns the status and the document of the answer to a call.
fn answer(call: &Call) -> (u16, String) {
    let document = match call.operation.as_str() {
        "GetItem" => json!({ "Item": item_at(&call.body["Key"]) }).to_string(),
        "Publish" => concat!(
            r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>"#,
            "<MessageId>1</MessageId></PublishResult></PublishResponse>"
        )
        .to_owned(),
        "SendEmail" => json!({ "MessageId": "1" }).to_string(),
        "ResolveCustomer" => json!({
            "ProductCode": CONTRACT,
            "CustomerAWSAccountId": "111122223333",
            "CustomerIdentifier": "X01",
            "LicenseArn": "arn:aws:license-manager::294406891311:license:l-c1",
        })
        .to_string(),
        "BatchGetItem" | "BatchWriteItem" | "DeleteItem" | "PutItem" | "Query" | "TransactWriteItems"
        | "UpdateItem" => "{}".to_owned(),
        // The entitlements and the state of the agreement are unknown: the function uses what it has stored.
        _ => return (400, json!({ "__type": "InternalServiceErrorException" }).to_string()),
    };
    (200, document)
}

impl Aws {
    /// Returns the SDK configuration with which a client calls this stand-in.
    pub(crate) fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("none", "none", None, None, "fuzz");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .http_client(self.clone())
            .build()
    }

    /// Returns the recorded calls in order, and clears the record.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::read(&request);
        let (status, document) = answer(&call);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        let answer = status.try_into().map(|status| HttpResponse::new(status, SdkBody::from(document)));
        HttpConnectorFuture::ready(answer.map_err(|error| ConnectorError::other(Box::new(error), None)))
    }
}

impl HttpClient for Aws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
