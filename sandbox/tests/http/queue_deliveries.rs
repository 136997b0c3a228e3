use domain::listing::Stage;

use super::*;

#[tokio::test]
async fn a_held_queue_delivers_nothing_until_it_is_released() {
    let sandbox = TestSandbox::start().await;
    sandbox.post("/sandbox/deliver", json!({ "hold": true })).await;
    sandbox.buy("demo-subscription").await;
    let queues = sandbox.get("/sandbox/queues").await;
    assert_eq!(queues["staging"], json!({ "held": true, "waiting": 2, "in_flight": 0, "dead_letters": [] }));
    assert!(sandbox.event_types().await.is_empty());

    let queues = sandbox.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(queues["staging"], json!({ "held": false, "waiting": 0, "in_flight": 0, "dead_letters": [] }));
    assert_eq!(sandbox.event_types().await, ["license.activated"]);
}

#[tokio::test]
async fn duplicated_and_reordered_events_change_nothing() {
    let sandbox = TestSandbox::start().await;
    for seed in 0..3 {
        sandbox.post("/sandbox/deliver", json!({ "hold": true })).await;
        let before = sandbox.event_types().await.len();
        sandbox.buy("demo-subscription").await;
        let delivery = json!({ "duplicate": 2, "reorder": seed, "release": true });
        let queues = sandbox.post("/sandbox/deliver", delivery).await;
        assert_eq!(queues["staging"]["waiting"], 0);
        assert_eq!(sandbox.event_types().await[before..], ["license.activated"], "seed {seed}");
    }
    let before = sandbox.event_types().await;
    sandbox.post("/sandbox/deliver", json!({ "redeliver": 100, "reorder": 1 })).await;
    assert_eq!(sandbox.event_types().await, before);
}

#[tokio::test]
async fn an_unreadable_message_becomes_a_dead_letter_and_blocks_nothing() {
    let sandbox = TestSandbox::start().await;
    sandbox.post("/sandbox/deliver", json!({ "hold": true, "message": "poison" })).await;
    sandbox.buy("demo-subscription").await;
    let queues = sandbox.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(queues["staging"]["in_flight"], 1);
    assert_eq!(sandbox.event_types().await, ["license.activated"], "the rest of its batch is done");

    // Received once immediately and nine times more, each 90 seconds later.
    sandbox.post("/sandbox/clock", json!({ "advance": "899s" })).await;
    assert_eq!(sandbox.get("/sandbox/queues").await["staging"]["in_flight"], 1);
    sandbox.post("/sandbox/clock", json!({ "advance": "1s" })).await;
    let staging = sandbox.get("/sandbox/queues").await["staging"].clone();
    assert_eq!(staging["in_flight"], 0);
    assert_eq!(staging["dead_letters"][0]["body"], "poison");
    assert_eq!(staging["dead_letters"][0]["receives"], 10);
}

#[tokio::test]
async fn both_stages_receive_bus_events_and_a_topic_reaches_only_the_stage_of_its_listing() {
    let stages = vec![Stage::Staging, Stage::Production];
    let sandbox = TestSandbox::with(Options { stages, ..Options::default() }).await;
    sandbox.post("/sandbox/deliver", json!({ "hold": true })).await;
    let waiting = |queues: &Value| (queues["staging"]["waiting"].clone(), queues["production"]["waiting"].clone());

    sandbox.buy("demo-production").await;
    assert_eq!(waiting(&sandbox.get("/sandbox/queues").await), (json!(2), json!(2)));

    sandbox.post("/sandbox/deliver", json!({ "release": true, "stage": "production" })).await;
    assert_eq!(waiting(&sandbox.get("/sandbox/queues").await), (json!(2), json!(0)));
    assert_eq!(sandbox.get("/sandbox/events?stage=production").await["events"][0]["type"], "license.activated");
    sandbox.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(sandbox.get("/sandbox/events?stage=staging").await["events"], json!([]), "no listing, no license");

    sandbox.post("/sandbox/deliver", json!({ "hold": true })).await;
    sandbox.buy("demo-legacy").await;
    // Both stacks receive the agreement event and the License event; only the stack with the legacy listing receives
    // subscribe-success.
    assert_eq!(waiting(&sandbox.get("/sandbox/queues").await), (json!(3), json!(2)));
    sandbox.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(sandbox.get("/sandbox/events?stage=staging").await["events"][0]["type"], "license.activated");
}
