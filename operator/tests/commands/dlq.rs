//! `stallkeeper dlq …`

use domain::listing::Stage;
use serde_json::{Value, json};

use crate::fixture::World;

/// Delivers a message that cannot be read, until it is in the dead-letter queue.
async fn unreadable_news(world: &World, body: &str) {
    world.control("/sandbox/deliver", json!({ "message": body })).await;
    world.advance(30).await;
    let queues = world.client.control(reqwest::Method::GET, "/sandbox/queues", Value::Null).await.unwrap();
    assert_eq!(queues["staging"]["dead_letters"].as_array().unwrap().len(), 1, "{queues}");
}

#[tokio::test]
async fn dead_letters_are_shown_without_what_they_say_and_moved_back() {
    let world = World::new().await;
    let empty = world.run(&["dlq", "show"]).await.text();
    for queue in ["MarketplaceEventsDeadLetters", "MailDeadLetters", "RunDeadLetters"] {
        let line = empty.lines().find(|line| line.starts_with(queue)).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [queue, "0", "-"], "{empty}");
    }
    let nothing = world.run(&["dlq", "redrive", "news", "--yes"]).await.text();
    assert!(nothing.contains("MarketplaceEventsDeadLetters is empty"), "{nothing}");
    let nothing = world.run(&["dlq", "redrive", "news", "--yes", "--json"]).await.json();
    assert_eq!(nothing, json!({ "queue": "MarketplaceEventsDeadLetters", "moved": 0, "messages": 0 }));

    unreadable_news(&world, r#"{"detail-type": "License Updated - Manufacturer", "detail": "kim@example.com"}"#).await;
    let shown = world.run(&["dlq", "show", "--peek"]).await.text();
    let line = shown.lines().find(|line| line.starts_with("MarketplaceEventsDeadLetters  ")).unwrap();
    assert!(line.contains(" 1 ") && line.contains(" s ") && line.contains("dlq redrive news"), "{shown}");
    assert!(shown.contains("news: License Updated - Manufacturer") && !shown.contains("kim"), "{shown}");
    let shown = world.run(&["dlq", "show", "--json"]).await.json();
    assert_eq!((&shown[0]["queue"], &shown[0]["messages"]), (&json!("MarketplaceEventsDeadLetters"), &json!(1)));
    assert!(shown[0].get("some").is_none(), "{shown}");

    let asked = world.run(&["dlq", "redrive", "news"]).await.error();
    assert!(
        asked.contains("Move 1 messages of MarketplaceEventsDeadLetters") && asked.contains("say --yes"),
        "{asked}"
    );
    let moved = world.run(&["dlq", "redrive", "news", "--yes"]).await.text();
    assert!(moved.contains("1 messages of MarketplaceEventsDeadLetters are back on their queue"), "{moved}");
    let queues = world.client.control(reqwest::Method::GET, "/sandbox/queues", Value::Null).await.unwrap();
    assert_eq!(queues["staging"]["dead_letters"], json!([]));
    assert_eq!(queues["staging"]["in_flight"], 1, "it is tried again: {queues}");
}

#[tokio::test]
async fn a_look_hides_nothing_from_the_next_one() {
    let world = World::new().await;
    let body = r#"{"detail-type": "License Updated - Manufacturer"}"#;
    unreadable_news(&world, body).await;
    for number in 1..12 {
        world.control("/sandbox/deliver", json!({ "message": format!("{body}{number}") })).await;
    }
    world.advance(30).await;
    for look in
        [&["dlq", "show", "--json"][..], &["dlq", "show", "--peek", "--json"], &["dlq", "show", "--peek", "--json"]]
    {
        let shown = world.run(look).await.json();
        let news = &shown[0];
        assert_eq!((&news["messages"], &news["looked_at"]), (&json!(12), &json!(12)), "{look:?}: {shown}");
        assert_eq!(news["some"].as_array().map(Vec::len), look.contains(&"--peek").then_some(10), "{shown}");
    }
    // A command that may not make them visible again reports that, and the next one waits for them.
    world.fault("sqs", "ChangeMessageVisibilityBatch", "access_denied", 1).await;
    let shown = world.run(&["dlq", "show", "--json"]).await;
    assert!(shown.err.contains("sqs:ChangeMessageVisibility"), "{shown:?}");
    assert_eq!(world.run(&["dlq", "show", "--peek", "--json"]).await.json()[0]["looked_at"], 12);
}

#[tokio::test]
async fn mails_that_could_not_be_sent_are_sent_once_the_cause_is_mended() {
    let world = World::new().await;
    world.fault("ses", "SendEmail", "access_denied", 1000).await;
    let bought = world.buy("demo-contract", json!({ "seats": 5 })).await;
    world.client.register(&bought.token, "buyer@example.com").await.unwrap();
    world.advance(4 * 60).await;
    let queues = || world.client.control(reqwest::Method::GET, "/sandbox/queues", Value::Null);
    assert_eq!(queues().await.unwrap()["staging-mail"]["dead_letters"].as_array().unwrap().len(), 1);
    world.client.control(reqwest::Method::DELETE, "/sandbox/faults", Value::Null).await.unwrap();

    let asked = world.run(&["dlq", "redrive", "mail", "--json"]).await.error();
    assert!(asked.contains("--json asks nobody: say --yes"), "{asked}");
    let moved = world.run(&["dlq", "redrive", "mail", "--yes", "--json"]).await.json();
    assert_eq!(moved, json!({ "queue": "MailDeadLetters", "moved": 1, "messages": 0 }));
    world.advance(1).await;
    assert_eq!(queues().await.unwrap()["staging-mail"]["dead_letters"], json!([]));
    let outbox = world.client.control(reqwest::Method::GET, "/sandbox/outbox", Value::Null).await.unwrap();
    assert_eq!(outbox["mails"].as_array().unwrap().len(), 1, "{outbox}");
}

#[tokio::test]
async fn a_run_that_failed_is_told_of_and_moved_nowhere() {
    let world = World::new().await;
    world.sandbox.set_schedule(false);
    world.fault("dynamodb", "*", "error500", 1000).await;
    world.sandbox.report_usage(Stage::Staging).await;
    world.client.control(reqwest::Method::DELETE, "/sandbox/faults", Value::Null).await.unwrap();
    let shown = world.run(&["dlq", "show", "--peek", "--json"]).await.json();
    let runs = shown.as_array().unwrap().iter().find(|shown| shown["queue"] == "RunDeadLetters").unwrap();
    assert_eq!((&runs["messages"], &runs["looked_at"]), (&json!(1), &json!(1)));
    assert_eq!(runs["some"][0]["kind"], "a run of stallkeeper-staging-MeteringFunction: StoreError");
    let nowhere = world.run(&["dlq", "redrive", "run", "--yes"]).await.error();
    assert!(nowhere.contains("the next run does it"), "{nowhere}");
    let unknown = world.run(&["dlq", "redrive", "strange"]).await.error();
    assert!(unknown.contains("possible values: news"), "{unknown}");
}

#[tokio::test]
async fn what_sqs_refuses_is_told_with_the_permission() {
    let world = World::new().await;
    unreadable_news(&world, "nothing that anybody can read").await;
    world.fault("sqs", "StartMessageMoveTask", "access_denied", 10).await;
    let denied = world.run(&["dlq", "redrive", "news", "--yes"]).await.error();
    assert!(denied.contains("AccessDenied") && denied.contains("sqs:StartMessageMoveTask"), "{denied}");
    world.fault("sqs", "GetQueueAttributes", "access_denied", 10).await;
    let denied = world.run(&["dlq", "show"]).await.error();
    assert!(denied.contains("MarketplaceEventsDeadLetters") && denied.contains("sqs:GetQueueAttributes"), "{denied}");
}
