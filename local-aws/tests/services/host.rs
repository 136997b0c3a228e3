//! The operations that the host answers.

use clock::Clock;
use local_aws::host::{HostCall, HostReply, HostService, Record, Service, ServiceError};
use local_aws::{Aws, AwsOptions};
use serde_json::{Value, json};

/// Starts an AWS with this host.
async fn start(host: Option<HostService>) -> Aws {
    let clock = Clock::fixed_at("2026-11-30T12:00:00Z".parse().unwrap());
    let (event_sender, _) = tokio::sync::mpsc::unbounded_channel();
    Aws::start(AwsOptions { host, ..AwsOptions::new(clock, Vec::new(), event_sender) }).await.unwrap()
}

/// Calls an operation of EventBridge, and returns the status and the answer.
async fn call(aws: &Aws, operation: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(aws.url())
        .header("x-amz-target", format!("AWSEvents.{operation}"))
        .json(&json!({ "Name": "a-rule" }));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Answers with the service and the name of a call, and refuses to list targets.
async fn answer(call: HostCall) -> Result<HostReply, ServiceError> {
    match (call.service, call.operation.as_str()) {
        (Service::EventBridge, "DescribeRule") => {
            Ok(HostReply::Answer(Record::new().with("CreatedBy", call.service.name()).into()))
        }
        _ => Err(ServiceError::modelled("ResourceNotFoundException", 400, "There is no such rule.")),
    }
}

#[tokio::test]
async fn the_host_answers_its_operations() {
    let aws = start(Some(HostService::new(tower::service_fn(answer)))).await;
    assert_eq!(call(&aws, "DescribeRule").await, (200, json!({ "CreatedBy": "eventbridge" })));
    let (status, refused) = call(&aws, "ListTargetsByRule").await;
    assert_eq!((status, &refused["__type"]), (400, &json!("com.amazonaws.eventbridge#ResourceNotFoundException")));
    let (_, unknown) = call(&aws, "DeleteRule").await;
    assert_eq!(unknown["__type"], "com.amazon.coral.service#UnknownOperationException");
}

#[tokio::test]
async fn without_a_host_its_operations_are_unknown() {
    let aws = start(None).await;
    let (status, unknown) = call(&aws, "DescribeRule").await;
    assert_eq!((status, &unknown["__type"]), (400, &json!("com.amazon.coral.service#UnknownOperationException")));
}
