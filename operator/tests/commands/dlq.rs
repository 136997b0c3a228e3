//! `stallkeeper dlq …`

use domain::listing::Stage;
use serde_json::{Value, json};

use crate::fixture::World;

/// Delivers a message that cannot be read, until it is in the dead-letter queue.
async fn unreadable_event(world: &World, body: &str) {
    world.control("/sandbox/deliver", json!({ "message": body })).await;
    world.advance(30).await;
    let queues = world.client.control(reqwest::Method::GET, "/sandbox/queues", Value::Null).await.unwrap();
    assert_eq!(queues["staging"]["dead_letters"].as_array().unwrap().len(), 1, "{queues}");
}

#[tokio::test]
async fn dead_letters_are_shown_without_their_content_and_moved_back() {
    let world = World::new().await;
    let empty = world.run(&["dlq", "show"]).await.text();
    for queue in ["MarketplaceEventsDeadLetters", "MailDeadLetters", "RunDeadLetters"] {
        let line = empty.lines().find(|line| line.starts_with(queue)).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [queue, "0", "-"], "{empty}");
    }
    let nothing = world.run(&["dlq", "redrive", "marketplace-events", "--yes"]).await.text();
    assert!(nothing.contains("MarketplaceEventsDeadLetters is empty"), "{nothing}");
    let nothing = world.run(&["dlq", "redrive", "marketplace-events", "--yes", "--json"]).await.json();
    assert_eq!(nothing, json!({ "queue": "MarketplaceEventsDeadLetters", "moved": 0, "messages": 0 }));

    unreadable_event(&world, r#"{"detail-type": "License Updated - Manufacturer", "detail": "kim@example.com"}"#).await;
    let shown = world.run(&["dlq", "show", "--peek"]).await.text();
    let line = shown.lines().find(|line| line.starts_with("MarketplaceEventsDeadLetters  ")).unwrap();
    assert!(line.contains(" 1 ") && line.contains(" s ") && line.contains("dlq redrive marketplace-events"), "{shown}");
    assert!(shown.contains("Marketplace event: License Updated - Manufacturer") && !shown.contains("kim"), "{shown}");
    let shown = world.run(&["dlq", "show", "--json"]).await.json();
    assert_eq!((&shown[0]["queue"], &shown[0]["messages"]), (&json!("MarketplaceEventsDeadLetters"), &json!(1)));
    assert!(shown[0].get("sample").is_none(), "{shown}");

    let asked = world.run(&["dlq", "redrive", "marketplace-events"]).await.error();
    assert!(
        asked.contains("Move 1 messages of MarketplaceEventsDeadLetters") && asked.contains("add --yes"),
        "{asked}"
    );
    let moved = world.run(&["dlq", "redrive", "marketplace-events", "--yes"]).await.text();
    assert!(moved.contains("1 messages of MarketplaceEventsDeadLetters are back on their queue"), "{moved}");
    let queues = world.client.control(reqwest::Method::GET, "/sandbox/queues", Value::Null).await.unwrap();
    assert_eq!(queues["staging"]["dead_letters"], json!([]));
    assert_eq!(queues["staging"]["in_flight"], 1, "it is tried again: {queues}");
}

#[tokio::test]
async fn a_command_hides_no_message_from_the_next_one() {
    let world = World::new().await;
    let body = r#"{"detail-type": "License Updated - Manufacturer"}"#;
    unreadable_event(&world, body).await;
    for number in 1..12 {
        world.control("/sandbox/deliver", json!({ "message": format!("{body}{number}") })).await;
    }
    world.advance(30).await;
    for command in
        [&["dlq", "show", "--json"][..], &["dlq", "show", "--peek", "--json"], &["dlq", "show", "--peek", "--json"]]
    {
        let shown = world.run(command).await.json();
        let events = &shown[0];
        assert_eq!((&events["messages"], &events["inspected"]), (&json!(12), &json!(12)), "{command:?}: {shown}");
        assert_eq!(events["sample"].as_array().map(Vec::len), command.contains(&"--peek").then_some(10), "{shown}");
    }
    // A command that may not make them visible again reports that, and the next one waits for them.
    world.fault("sqs", "ChangeMessageVisibilityBatch", "access_denied", 1).await;
    let shown = world.run(&["dlq", "show", "--json"]).await;
    assert!(shown.err.contains("sqs:ChangeMessageVisibility"), "{shown:?}");
    assert_eq!(world.run(&["dlq", "show", "--peek", "--json"]).await.json()[0]["inspected"], 12);
}

#[tokio::test]
async fn failed_mails_are_sent_once_the_cause_is_fixed() {
    let world = World::new().await;
    world.fault("ses", "SendEmail", "access_denied", 1000).await;
    let bought = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.client.register(&bought.token, "buyer@example.com").await.unwrap();
    world.advance(4 * 60).await;
    let queues = || world.client.control(reqwest::Method::GET, "/sandbox/queues", Value::Null);
    assert_eq!(queues().await.unwrap()["staging-mail"]["dead_letters"].as_array().unwrap().len(), 1);
    world.client.control(reqwest::Method::DELETE, "/sandbox/faults", Value::Null).await.unwrap();

    let asked = world.run(&["dlq", "redrive", "mail", "--json"]).await.error();
    assert!(asked.contains("--json shows no confirmation prompt: add --yes"), "{asked}");
    let moved = world.run(&["dlq", "redrive", "mail", "--yes", "--json"]).await.json();
    assert_eq!(moved, json!({ "queue": "MailDeadLetters", "moved": 1, "messages": 0 }));
    world.advance(1).await;
    assert_eq!(queues().await.unwrap()["staging-mail"]["dead_letters"], json!([]));
    let outbox = world.client.control(reqwest::Method::GET, "/sandbox/outbox", Value::Null).await.unwrap();
    assert_eq!(outbox["mails"].as_array().unwrap().len(), 1, "{outbox}");
}

#[tokio::test]
async fn a_failed_run_is_shown_and_cannot_be_moved() {
    let world = World::new().await;
    world.sandbox.set_schedule(false);
    world.fault("dynamodb", "*", "error500", 1000).await;
    world.sandbox.report_usage(Stage::Staging).await;
    world.client.control(reqwest::Method::DELETE, "/sandbox/faults", Value::Null).await.unwrap();
    let shown = world.run(&["dlq", "show", "--peek", "--json"]).await.json();
    let runs = shown.as_array().unwrap().iter().find(|shown| shown["queue"] == "RunDeadLetters").unwrap();
    assert_eq!((&runs["messages"], &runs["inspected"]), (&json!(1), &json!(1)));
    assert_eq!(runs["sample"][0]["kind"], "a run of stallkeeper-staging-MeteringFunction: StoreError");
    let nowhere = world.run(&["dlq", "redrive", "run", "--yes"]).await.error();
    assert!(nowhere.contains("the next run repeats the work"), "{nowhere}");
    let unknown = world.run(&["dlq", "redrive", "strange"]).await.error();
    assert!(unknown.contains("possible values: marketplace-events"), "{unknown}");
}

#[tokio::test]
async fn a_refusal_by_sqs_is_reported_with_the_permission() {
    let world = World::new().await;
    unreadable_event(&world, "unreadable").await;
    world.fault("sqs", "StartMessageMoveTask", "access_denied", 10).await;
    let denied = world.run(&["dlq", "redrive", "marketplace-events", "--yes"]).await.error();
    assert!(denied.contains("AccessDenied") && denied.contains("sqs:StartMessageMoveTask"), "{denied}");
    world.fault("sqs", "GetQueueAttributes", "access_denied", 10).await;
    let denied = world.run(&["dlq", "show"]).await.error();
    assert!(denied.contains("MarketplaceEventsDeadLetters") && denied.contains("sqs:GetQueueAttributes"), "{denied}");
}
