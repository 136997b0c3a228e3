use stallkeeper::listing::Stage;

use super::*;

#[tokio::test]
async fn a_held_queue_delivers_nothing_until_it_is_released() {
    let visit = TestSandbox::begin().await;
    visit.post("/sandbox/deliver", json!({ "hold": true })).await;
    visit.buy("demo-subscription").await;
    let queues = visit.get("/sandbox/queues").await;
    assert_eq!(queues["staging"], json!({ "held": true, "waiting": 2, "in_flight": 0, "dead_letters": [] }));
    assert!(visit.told().await.is_empty());

    let queues = visit.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(queues["staging"], json!({ "held": false, "waiting": 0, "in_flight": 0, "dead_letters": [] }));
    assert_eq!(visit.told().await, ["license.activated"]);
}

#[tokio::test]
async fn duplicated_and_reordered_events_change_nothing() {
    let visit = TestSandbox::begin().await;
    for seed in 0..3 {
        visit.post("/sandbox/deliver", json!({ "hold": true })).await;
        let before = visit.told().await.len();
        visit.buy("demo-subscription").await;
        let delivery = json!({ "duplicate": 2, "reorder": seed, "release": true });
        let queues = visit.post("/sandbox/deliver", delivery).await;
        assert_eq!(queues["staging"]["waiting"], 0);
        assert_eq!(visit.told().await[before..], ["license.activated"], "seed {seed}");
    }
    let before = visit.told().await;
    visit.post("/sandbox/deliver", json!({ "redeliver": 100, "reorder": 1 })).await;
    assert_eq!(visit.told().await, before);
}

#[tokio::test]
async fn an_unreadable_message_becomes_a_dead_letter_and_blocks_nothing() {
    let visit = TestSandbox::begin().await;
    visit.post("/sandbox/deliver", json!({ "hold": true, "message": "poison" })).await;
    visit.buy("demo-subscription").await;
    let queues = visit.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(queues["staging"]["in_flight"], 1);
    assert_eq!(visit.told().await, ["license.activated"], "the rest of its batch is done");

    // Received once immediately and nine times more, each 90 seconds later.
    visit.post("/sandbox/clock", json!({ "advance": "899s" })).await;
    assert_eq!(visit.get("/sandbox/queues").await["staging"]["in_flight"], 1);
    visit.post("/sandbox/clock", json!({ "advance": "1s" })).await;
    let staging = visit.get("/sandbox/queues").await["staging"].clone();
    assert_eq!(staging["in_flight"], 0);
    assert_eq!(staging["dead_letters"][0]["body"], "poison");
    assert_eq!(staging["dead_letters"][0]["receives"], 10);
}

#[tokio::test]
async fn both_stages_receive_bus_events_and_a_topic_reaches_only_the_stage_of_its_listing() {
    let stages = vec![Stage::Staging, Stage::Production];
    let visit = TestSandbox::with(Options { stages, ..Options::default() }).await;
    visit.post("/sandbox/deliver", json!({ "hold": true })).await;
    let waiting = |queues: &Value| (queues["staging"]["waiting"].clone(), queues["production"]["waiting"].clone());

    visit.buy("demo-production").await;
    assert_eq!(waiting(&visit.get("/sandbox/queues").await), (json!(2), json!(2)));

    visit.post("/sandbox/deliver", json!({ "release": true, "stage": "production" })).await;
    assert_eq!(waiting(&visit.get("/sandbox/queues").await), (json!(2), json!(0)));
    assert_eq!(visit.get("/sandbox/events?stage=production").await["events"][0]["type"], "license.activated");
    visit.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(visit.get("/sandbox/events?stage=staging").await["events"], json!([]), "no listing, no license");

    visit.post("/sandbox/deliver", json!({ "hold": true })).await;
    visit.buy("demo-legacy").await;
    // Both stacks receive the agreement event and the License event; only the stack with the legacy listing receives
    // subscribe-success.
    assert_eq!(waiting(&visit.get("/sandbox/queues").await), (json!(3), json!(2)));
    visit.post("/sandbox/deliver", json!({ "release": true })).await;
    assert_eq!(visit.get("/sandbox/events?stage=staging").await["events"][0]["type"], "license.activated");
}
