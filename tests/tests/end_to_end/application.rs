//! The requests of the seller's application, and the reads of the table that they cause.

use jiff::SignedDuration;
use local_aws::{Delays, Service};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestEnvironment, license_event};

#[tokio::test]
async fn a_call_without_a_signature_is_forbidden() {
    let world = TestEnvironment::new().await;
    let answer = world.open("/v1/licenses", None).await;
    assert_eq!(answer.status, 403);
    assert_eq!(serde_json::from_str::<Value>(&answer.page).unwrap(), json!({ "message": "Forbidden" }));
}

#[tokio::test]
async fn licenses_are_listed_page_by_page() {
    let world = TestEnvironment::new().await;
    let mut bought = Vec::new();
    for _ in 0..5 {
        bought.push(world.buy("demo-subscription", json!({})).await.license);
    }
    let pending = world.buy("demo-legacy", json!({})).await;
    world.end(&pending.agreement).await;
    bought.push(pending.license.clone());

    let mut listed = Vec::new();
    let mut path = "/v1/licenses?limit=2".to_owned();
    loop {
        let (status, page) = world.api(Method::GET, &path, None).await;
        assert_eq!(status, 200, "{page}");
        let licenses = page["licenses"].as_array().unwrap();
        assert!(licenses.len() <= 2);
        listed.extend(licenses.iter().map(|license| license["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/licenses?limit=2&cursor={next}"),
            None => break,
        }
    }
    bought.sort();
    listed.sort();
    assert_eq!(listed, bought);

    let (_, ending) = world.api(Method::GET, "/v1/licenses?state=ending", None).await;
    assert_eq!(ending["licenses"][0]["id"], pending.license.as_str());
    for (query, code) in [("cursor=nonsense", 400), ("cursor=0.nonsense", 400), ("cursor=99.", 400), ("limit=0", 400)] {
        let (status, problem) = world.api(Method::GET, &format!("/v1/licenses?{query}"), None).await;
        assert_eq!((status, &problem["code"]), (code, &json!("parameter_invalid")), "{query}");
    }
}

#[tokio::test]
async fn a_license_that_ended_by_time_is_listed_as_ended() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-subscription", json!({})).await;
    world.end(&purchase.agreement).await;
    world.advance(SignedDuration::from_mins(61)).await;
    let (_, ending) = world.api(Method::GET, "/v1/licenses?state=ending", None).await;
    assert_eq!(ending["licenses"], json!([]));
    let (_, ended) = world.api(Method::GET, "/v1/licenses?state=ended", None).await;
    assert_eq!(ended["licenses"][0]["id"], purchase.license.as_str());
}

#[tokio::test]
async fn an_unknown_tenant_is_not_managed() {
    let world = TestEnvironment::new().await;
    let (status, tenant) = world.api(Method::GET, "/v1/tenants/nobody", None).await;
    assert_eq!((status, &tenant["managed"]), (200, &json!(false)));
    assert_eq!(tenant["change_plan"]["in_application"], true);
    assert_eq!(world.decide("nobody", "seats").await["reason"], "no_license");

    let (_, probe) = world.api(Method::GET, "/v1/tenants/probe-1", None).await;
    assert_eq!((&probe["managed"], &probe["change_plan"]["in_application"]), (&json!(true), &json!(false)));
    assert_eq!(probe["licenses"], json!([]));

    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.link(&purchase.license, "acme").await;
    let (_, tenant) = world.api(Method::GET, "/v1/tenants/acme", None).await;
    assert_eq!((&tenant["managed"], &tenant["change_plan"]["in_application"]), (&json!(true), &json!(false)));
    assert!(tenant["cancel"]["url"].as_str().unwrap().starts_with("https://"));
    assert_eq!(tenant["licenses"][0]["id"], purchase.license.as_str());
}

#[tokio::test]
async fn a_decision_is_one_query_and_no_call_to_aws_marketplace() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.link(&purchase.license, "acme").await;
    world.decide("acme", "seats").await;
    world.control(Method::DELETE, "/sandbox/wire", Value::Null).await;
    let (_, decision) = world.api(Method::GET, "/v1/tenants/acme/entitlements?dimension=seats&quantity=6", None).await;
    assert_eq!((&decision["allowed"], &decision["reason"]), (&json!(false), &json!("quantity_exceeded")));
    let calls = || world.sandbox.aws().wire().all().into_iter().map(|call| call.operation).collect::<Vec<_>>();
    assert_eq!(calls(), ["Query"]);

    // The function caches the listing for a minute.
    world.advance(SignedDuration::from_secs(61)).await;
    world.control(Method::DELETE, "/sandbox/wire", Value::Null).await;
    world.decide("acme", "seats").await;
    assert_eq!(calls(), ["Query", "GetItem"]);
}

#[tokio::test]
async fn decisions_read_consistently() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    let renewed = world.change(&purchase.agreement, json!({ "action": "renew", "new_license": true })).await;
    world.end(renewed["agreement_id"].as_str().unwrap()).await;
    let wire = world.sandbox.aws().wire();
    let (gets, queries) = (wire.calls(Service::DynamoDb, "GetItem"), wire.calls(Service::DynamoDb, "Query"));
    assert!(gets.len() > 10 && !queries.is_empty());
    for call in gets.iter().chain(&queries) {
        if call.body.get("IndexName").is_none() {
            assert_eq!(call.body["ConsistentRead"], true, "{}", call.body);
        }
    }
    for call in wire.calls(Service::DynamoDb, "TransactWriteItems") {
        let license = &call.body["TransactItems"][0]["Put"];
        let condition = license["ConditionExpression"].as_str().unwrap();
        assert!(condition == "attribute_not_exists(pk)" || condition == "version = :based_on", "{condition}");
    }
}

#[tokio::test]
async fn every_event_has_the_next_number_of_its_license() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    world.link(&purchase.license, "acme").await;
    world.end(&purchase.agreement).await;
    let events = world.control(Method::GET, "/sandbox/events", Value::Null).await;
    let sequences: Vec<u64> =
        events["events"].as_array().unwrap().iter().map(|e| e["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    assert_eq!(world.license(&purchase.license).await["sequence"], sequences.len());
    assert!(!events.to_string().contains("example.com"), "personal data in an event");
}

#[tokio::test]
async fn an_end_event_that_aws_does_not_confirm_ends_nothing() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let ended = json!({
        "version": "0", "id": "spurious", "detail-type": "Purchase Agreement Ended - Proposer",
        "source": "aws.agreement-marketplace", "time": world.now().to_string(),
        "detail": { "agreement": { "id": purchase.agreement, "status": "CANCELLED" } },
    });
    world.send_event(&ended).await;
    world.advance(SignedDuration::from_mins(10)).await;
    assert_eq!(world.license(&purchase.license).await["state"], "active");
    let queues = world.control(Method::GET, "/sandbox/queues", Value::Null).await;
    assert_eq!((&queues["staging"]["in_flight"], &queues["staging"]["dead_letters"]), (&json!(0), &json!([])));

    // If AWS does not answer, the event counts.
    world
        .fault(json!({ "service": "agreement", "operation": "DescribeAgreement", "times": 9, "kind": "access_denied" }))
        .await;
    let mut ended = ended;
    ended["id"] = json!("unconfirmed");
    ended["time"] = json!(world.now().to_string());
    world.send_event(&ended).await;
    assert_eq!(world.license(&purchase.license).await["state"], "ending");
}

#[tokio::test]
async fn missing_entitlements_are_queried_again() {
    let world = TestEnvironment::with(|options| options.delays = Delays::default()).await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.link(&purchase.license, "acme").await;
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", purchase.license);
    world.send_event(&license_event("Updated", &purchase, &arn, "early", world.now())).await;
    let license = world.license(&purchase.license).await;
    assert_eq!((&license["state"], &license["entitlements_read_at"]), (&json!("active"), &Value::Null));
    world.advance(SignedDuration::from_secs(95)).await;
    assert_eq!(world.license(&purchase.license).await["entitlements"][0]["value"], json!({ "integer": 5 }));
}

#[tokio::test]
async fn an_early_empty_answer_is_not_trusted_after_a_registration_before_the_events() {
    let world = TestEnvironment::with(|options| options.delays = Delays::default()).await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.register(&purchase.token, "buyer@example.com").await;
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", purchase.license);
    world.send_event(&license_event("Updated", &purchase, &arn, "early", world.now())).await;
    assert_eq!(world.license(&purchase.license).await["entitlements_read_at"], Value::Null);
    world.advance(SignedDuration::from_secs(95)).await;
    assert_eq!(world.license(&purchase.license).await["entitlements"][0]["value"], json!({ "integer": 5 }));
}

#[tokio::test]
async fn an_invalid_body_or_tenant_links_nothing() {
    let world = TestEnvironment::new().await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let path = format!("/v1/licenses/{}/tenant", purchase.license);
    for body in [json!(["acme"]), json!("acme"), json!({ "tenant": ".." }), json!({ "tenant": "a@b.c" })] {
        assert_eq!(world.api(Method::PUT, &path, Some(body)).await.0, 400);
    }
    assert_eq!(world.license(&purchase.license).await["tenant"], Value::Null);
}

#[tokio::test]
async fn with_a_slow_aws_only_messages_that_need_it_are_retried() {
    let world = TestEnvironment::new().await;
    world.deliver(json!({ "hold": true })).await;
    let contract = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let subscription = world.buy("demo-subscription", json!({})).await;
    world
        .fault(json!({ "service": "entitlement", "operation": "GetEntitlements", "times": 3, "kind": "throttle" }))
        .await;
    world.deliver(json!({ "release": true })).await;
    assert_eq!(world.license(&subscription.license).await["state"], "active");
    assert_eq!(world.license(&contract.license).await["state"], "active");
    let queues = world.control(Method::GET, "/sandbox/queues", Value::Null).await;
    assert_eq!(queues["staging"]["in_flight"], 1, "{queues}");
}

#[tokio::test]
async fn a_repeated_empty_answer_is_trusted_in_the_end() {
    let world = TestEnvironment::with(|options| {
        options.delays = Delays { provision: SignedDuration::from_hours(9), ..Delays::none() }
    })
    .await;
    let purchase = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let arn = format!("arn:aws:license-manager::444455556666:license:{}", purchase.license);
    world.send_event(&license_event("Updated", &purchase, &arn, "early", world.now())).await;
    world.advance(SignedDuration::from_mins(10)).await;
    let license = world.license(&purchase.license).await;
    assert_eq!(license["entitlements"], json!([]));
    assert!(license["entitlements_read_at"].is_string(), "{license}");
    let queues = world.control(Method::GET, "/sandbox/queues", Value::Null).await;
    assert_eq!(queues["staging"]["dead_letters"], json!([]), "{queues}");
}
