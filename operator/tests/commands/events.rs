//! `stallkeeper events replay`

use jiff::SignedDuration;
use serde_json::json;

use crate::fixture::World;

#[tokio::test]
async fn events_are_published_again_by_license_and_by_period() {
    let world = World::new().await;
    let (one, other) =
        (world.buy("demo-contract", json!({ "seats": 5 })).await, world.buy("demo-subscription", json!({})).await);
    assert_eq!(world.client.link(&one.license, "acme").await.unwrap().0, 200);
    world.sandbox.settle().await;
    let published = || world.sandbox.aws().outbox().contents().published;
    let of = |license: &str| published().iter().filter(|event| event.message.contains(license)).count();
    let (first, others) = (of(&one.license), of(&other.license));
    assert!(first >= 2 && others >= 1, "{first} {others}");

    let said = world.run(&["events", "replay", &one.license]).await.text();
    assert!(said.contains(&format!("Published {first} events again.")), "{said}");
    assert_eq!((of(&one.license), of(&other.license)), (2 * first, others));
    let later = world.run(&["events", "replay", &one.license, "--after", "1", "--json"]).await.json();
    assert_eq!(later, json!({ "published": first - 1, "rejected": 0 }));

    let now = world.sandbox.clock().now();
    let (from, to) =
        ((now - SignedDuration::from_hours(1)).to_string(), (now + SignedDuration::from_hours(1)).to_string());
    let all = world.run(&["events", "replay", "--from", &from, "--to", &to, "--json"]).await.json();
    assert_eq!(all["published"], json!(first + others));
    let none = world.run(&["events", "replay", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z"]).await;
    assert!(none.text().contains("Published 0 events again."));
}

#[tokio::test]
async fn invalid_arguments_are_reported_and_nothing_is_published() {
    let world = World::new().await;
    for (arguments, wrong) in [
        (&["events", "replay"][..], "required"),
        (&["events", "replay", "l-1"], "license_unknown"),
        (&["events", "replay", "--from", "2026-11-10T09:00:00Z"], "--to"),
        (&["events", "replay", "--from", "2026-11-10T09:00:00Z", "--to", "2026-11-10T08:00:00Z"], "must not be after"),
        (&["events", "replay", "--from", "yesterday", "--to", "2026-11-10T08:00:00Z"], "--from"),
        (
            &["events", "replay", "l-1", "--from", "2026-11-10T09:00:00Z", "--to", "2026-11-10T09:00:00Z"],
            "cannot be used",
        ),
    ] {
        let error = world.run(arguments).await.error();
        assert!(error.contains(wrong), "{arguments:?}: {error}");
    }
    assert!(world.sandbox.aws().outbox().contents().published.is_empty());
}
