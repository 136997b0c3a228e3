use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use local_aws::{Fault, Service};
use serde_json::{Value, json};

use crate::fixture::{CONTRACT, LocalAws, code, start, start_in};

fn plan(local: &LocalAws, fault: Value) {
    local.aws.faults().add(Fault::read(&fault).unwrap()).unwrap();
}

async fn table(local: &LocalAws) -> Client {
    let client = local.dynamodb();
    client
        .create_table()
        .table_name("tenants")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S).build().unwrap(),
        )
        .key_schema(KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap())
        .send()
        .await
        .unwrap();
    client
}

async fn put(client: &Client, key: &str) -> Result<(), String> {
    let sent = client.put_item().table_name("tenants").item("pk", AttributeValue::S(key.to_owned())).send().await;
    match sent {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(error)) => Err(error.err().meta().code().unwrap_or("no code").to_owned()),
        Err(_) => Err("no answer".to_owned()),
    }
}

async fn exists(client: &Client, key: &str) -> bool {
    let got =
        client.get_item().table_name("tenants").key("pk", AttributeValue::S(key.to_owned())).consistent_read(true);
    got.send().await.unwrap().item().is_some()
}

#[tokio::test]
async fn dynamodb_answers_and_the_log_shows_the_calls() {
    let local = start().await;
    let client = table(&local).await;
    put(&client, "a").await.unwrap();
    assert!(exists(&client, "a").await);
    assert!(!exists(&client, "b").await);
    let reads = local.aws.wire().calls(Service::DynamoDb, "GetItem");
    assert_eq!(reads.len(), 2);
    assert_eq!(reads[0].body["ConsistentRead"], true);
    assert_eq!(reads[0].body["Key"], json!({"pk": {"S": "a"}}));
    assert_eq!(reads[0].status, Some(200));
    assert_eq!(reads[0].at, local.now());
    local.aws.wire().clear();
    assert!(local.aws.wire().calls(Service::DynamoDb, "*").is_empty());
}

#[tokio::test]
async fn a_table_in_a_file_survives_a_restart() {
    let folder = std::env::temp_dir().join(format!("local-aws-{}-{}", std::process::id(), line!()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tables.db");
    let before = start_in(Some(file.clone())).await;
    put(&table(&before).await, "kept").await.unwrap();
    drop(before);
    let after = start_in(Some(file)).await;
    assert!(exists(&after.dynamodb(), "kept").await);
    drop(after);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn dynamodb_fails_as_planned() {
    let local = start().await;
    let client = table(&local).await;
    let fault = |kind: &str| json!({"service": "dynamodb", "operation": "PutItem", "kind": kind});
    for (kind, answer, done) in [
        ("before", Err("no answer"), false),
        ("after", Err("no answer"), true),
        ("throttle", Err("ProvisionedThroughputExceededException"), false),
        ("error500", Err("InternalServerError"), false),
        ("access_denied", Err("AccessDeniedException"), false),
    ] {
        plan(&local, fault(kind));
        assert_eq!(put(&client, kind).await, answer.map_err(str::to_owned), "{kind}");
        assert_eq!(exists(&client, kind).await, done, "{kind}");
        assert_eq!(put(&client, kind).await, Ok(()), "only one call fails");
    }
    let puts = local.aws.wire().calls(Service::DynamoDb, "PutItem");
    let statuses: Vec<_> = puts.iter().map(|call| call.status).collect();
    let ok = Some(200);
    assert_eq!(statuses, [None, ok, None, ok, Some(400), ok, Some(500), ok, Some(400), ok]);
}

#[tokio::test]
async fn a_fault_counts_calls_from_the_time_it_is_added() {
    let local = start().await;
    let client = table(&local).await;
    put(&client, "0").await.unwrap();
    plan(&local, json!({"service": "dynamodb", "operation": "*", "call": 2, "times": 2, "kind": "500"}));
    let mut succeeded = Vec::new();
    for key in ["1", "2", "3", "4"] {
        succeeded.push(put(&client, key).await.is_ok());
    }
    assert_eq!(succeeded, [true, false, false, true]);
    assert_eq!(local.aws.faults().list()[0].applied, 2);
    plan(&local, json!({"service": "dynamodb", "operation": "PutItem", "kind": "500"}));
    local.aws.faults().clear();
    put(&client, "5").await.unwrap();
}

#[tokio::test]
async fn a_timeout_delays_the_answer_and_then_drops_it() {
    let local = start().await;
    let bought = local.buy_contract();
    plan(&local, json!({"service": "metering", "operation": "ResolveCustomer", "kind": "timeout", "delay_ms": 150}));
    let since = std::time::Instant::now();
    let answer = local.metering().resolve_customer().registration_token(&bought.token).send().await;
    assert!(!matches!(answer, Err(SdkError::ServiceError(_)) | Ok(_)));
    assert!(since.elapsed() >= std::time::Duration::from_millis(150));
    let call = &local.aws.wire().calls(Service::Metering, "ResolveCustomer")[0];
    assert_eq!((call.status, &call.body["RegistrationToken"]), (None, &json!("(redacted)")));
}

#[tokio::test]
async fn every_marketplace_service_fails_with_its_own_error_codes() {
    let local = start().await;
    let bought = local.buy_contract();
    let metering = || local.metering().resolve_customer().registration_token(&bought.token).send();
    let entitlement = || local.entitlement().get_entitlements().product_code(CONTRACT).send();
    let agreement = || local.agreement().describe_agreement().agreement_id(bought.agreement_id.as_str()).send();
    for (kind, of_metering_and_entitlement, of_agreement) in [
        ("throttle", "ThrottlingException", "ThrottlingException"),
        ("500", "InternalServiceErrorException", "InternalServerException"),
        ("access_denied", "AccessDeniedException", "AccessDeniedException"),
    ] {
        for service in ["metering", "entitlement", "agreement"] {
            plan(&local, json!({"service": service, "operation": "*", "kind": kind}));
        }
        assert_eq!(code(metering().await), of_metering_and_entitlement);
        assert_eq!(code(entitlement().await), of_metering_and_entitlement);
        assert_eq!(code(agreement().await), of_agreement);
        metering().await.unwrap();
        entitlement().await.unwrap();
        agreement().await.unwrap();
    }
}

mod of_writes {
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;
    use aws_sdk_dynamodb::types::{Put, PutRequest, TransactWriteItem, WriteRequest};

    use super::*;

    fn item(key: &str) -> std::collections::HashMap<String, AttributeValue> {
        [("pk".to_owned(), AttributeValue::S(key.to_owned()))].into()
    }

    fn put_of(key: &str) -> TransactWriteItem {
        let put = Put::builder().table_name("tenants").set_item(Some(item(key))).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    }

    #[tokio::test]
    async fn a_transaction_conflict_cancels_a_transaction() {
        let local = start().await;
        let client = table(&local).await;
        let fault = json!({"service": "dynamodb", "operation": "TransactWriteItems", "kind": "transaction_conflict"});
        plan(&local, fault.clone());
        let transact = || client.transact_write_items().transact_items(put_of("a")).transact_items(put_of("b")).send();
        let cancelled = async || match transact().await.unwrap_err().into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled,
            other => panic!("{other:?}"),
        };
        let codes = |cancelled: &TransactionCanceledException| {
            let reasons = cancelled.cancellation_reasons().iter();
            reasons.map(|reason| reason.code().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let one = cancelled().await;
        assert_eq!(codes(&one), ["TransactionConflict", "None"]);
        assert_eq!(one.cancellation_reasons()[1].message(), None);
        assert!(one.message().unwrap().ends_with("[TransactionConflict, None]"));
        assert!(!exists(&client, "a").await);

        let mut of_two = fault;
        of_two["records"] = 2.into();
        plan(&local, of_two);
        assert_eq!(codes(&cancelled().await), ["TransactionConflict", "TransactionConflict"]);
        transact().await.unwrap();
        assert!(exists(&client, "b").await);
    }

    #[tokio::test]
    async fn a_transaction_conflict_fails_a_single_write() {
        let local = start().await;
        let client = table(&local).await;
        plan(&local, json!({"service": "dynamodb", "operation": "PutItem", "kind": "transaction_conflict"}));
        assert_eq!(put(&client, "a").await, Err("TransactionConflictException".to_owned()));
        assert!(!exists(&client, "a").await);
        assert_eq!(put(&client, "a").await, Ok(()));
    }

    #[tokio::test]
    async fn some_or_all_items_of_a_batch_are_left_unprocessed() {
        let local = start().await;
        let client = table(&local).await;
        let request = |key: &str| {
            let put = PutRequest::builder().set_item(Some(item(key))).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        };
        let write = |keys: &[&str]| {
            let requests = keys.iter().map(|key| request(key)).collect();
            client.batch_write_item().request_items("tenants", requests).send()
        };
        let fault = json!({"service": "dynamodb", "operation": "BatchWriteItem", "kind": "unprocessed"});
        plan(&local, fault.clone());
        let answer = write(&["a", "b", "c"]).await.unwrap();
        let all = [request("a"), request("b"), request("c")];
        assert_eq!(answer.unprocessed_items().unwrap()["tenants"], all);
        assert!(!exists(&client, "c").await);

        let mut of_two = fault;
        of_two["records"] = 2.into();
        plan(&local, of_two);
        let answer = write(&["a", "b", "c"]).await.unwrap();
        assert_eq!(answer.unprocessed_items().unwrap()["tenants"], all[..2]);
        assert!(exists(&client, "c").await && !exists(&client, "a").await);

        let answer = write(&["a", "b"]).await.unwrap();
        assert!(answer.unprocessed_items().is_none_or(|items| items.is_empty()));
        assert!(exists(&client, "a").await && exists(&client, "b").await);
    }

    #[tokio::test]
    async fn calls_that_bypass_the_proxy_do_not_count_for_faults() {
        let local = start().await;
        table(&local).await;
        plan(&local, json!({"service": "dynamodb", "operation": "*", "times": 9, "kind": "500"}));
        local.aws.wire().clear();
        let config = local.config().to_builder().endpoint_url(local.aws.dynamodb_url()).build();
        put(&Client::new(&config), "a").await.unwrap();
        assert!(local.aws.wire().all().is_empty());
        assert_eq!(local.aws.faults().list()[0].calls, 0);
    }
}
