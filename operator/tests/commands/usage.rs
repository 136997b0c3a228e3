//! `stallkeeper usage …`

use sandbox::Options;
use serde_json::{Value, json};

use crate::fixture::{World, mid_month};

#[tokio::test]
async fn pending_records_and_problems_are_listed() {
    let world = World::with(mid_month()).await;
    assert_eq!(world.run(&["usage", "unverified"]).await.text(), "Every booking is verified.\n");
    let nothing = world.run(&["usage", "pending"]).await.text();
    assert!(nothing.contains("There are no pending records"), "{nothing}");
    let none = world.run(&["usage", "problems"]).await.text();
    assert_eq!(none, "There are no problems.\n");
    let none = world.run(&["usage", "problems", "--kind", "refused"]).await.text();
    assert_eq!(none, "There are no problems of the kind refused.\n");

    let bought = world.buy("demo-subscription", json!({})).await;
    world.client.report(json!([world.usage(&bought.license, 7)])).await.unwrap();
    world.fault("metering", "BatchMeterUsage", "access_denied", 1000).await;
    world.advance(130).await;
    let pending = world.run(&["usage", "pending"]).await.text();
    assert!(pending.starts_with("RECORD") && pending.contains(&format!("{}@", bought.license)), "{pending}");
    let listed = world.run(&["usage", "pending", "--json"]).await.json();
    assert!(listed.as_array().unwrap().iter().any(|record| record["quantity"] == "7"), "{listed}");

    let problems = world.run(&["usage", "problems", "--kind", "paused"]).await.text();
    assert!(problems.contains("AccessDeniedException") && problems.contains("\npaused: "), "{problems}");
    let listed = world.run(&["usage", "problems", "--json"]).await.json();
    assert_eq!(listed[0]["kind"], "paused");
    let strange = world.run(&["usage", "problems", "--kind", "strange"]).await.error();
    assert!(strange.contains("possible values: held"), "{strange}");
}

/// Returns the name of a record that AWS has refused.
async fn refused(world: &World) -> String {
    let good = world.buy("demo-subscription", json!({})).await;
    let license = "l-00000000000000000000000000000bad";
    let event = json!({
        "version": "0", "id": "strange", "detail-type": "License Updated - Manufacturer",
        "source": "aws.agreement-marketplace", "account": "444455556666",
        "time": world.sandbox.clock().now().to_string(), "region": "us-east-1", "resources": [],
        "detail": {
            "requestId": "r", "catalog": "AWSMarketplace", "agreement": { "id": good.agreement },
            "product": { "code": good.product, "id": "prod-any" },
            "license": { "arn": format!("arn:aws:license-manager::444455556666:license:{license}") },
            "acceptor": { "accountId": good.account }, "proposer": { "accountId": "444455556666" },
            "offer": { "id": "offer-any" },
        },
    });
    world.control("/sandbox/deliver", json!({ "message": event.to_string() })).await;
    let usage = json!([world.usage(&good.license, 7), world.usage(license, 7)]);
    let results = world.client.report(usage).await.unwrap();
    assert!(results.iter().all(|result| result["status"] == "accepted"), "{results:?}");
    world.advance(130).await;
    let problems = world.run(&["usage", "problems", "--kind", "refused", "--json"]).await.json();
    let problem = problems.as_array().unwrap().iter().find(|problem| problem["quantity"] == "7").unwrap();
    problem["record"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_refused_record_is_requeued_although_another_one_fails() {
    let world = World::with(mid_month()).await;
    let record = refused(&world).await;
    let said = world.run(&["usage", "requeue", "l-1@2026-11-10T09@requests", &record]).await;
    assert!(said.out.contains(&format!("{record} is sealed")), "{said:?}");
    assert!(said.out.contains("l-1@2026-11-10T09@requests: ") && said.out.contains("record_unknown"), "{said:?}");
    assert!(said.error().contains("1 of 2 records could not be requeued"));
    let again = world.run(&["usage", "requeue", &record, "--json"]).await;
    let answers: Value = serde_json::from_str(&again.out).unwrap();
    assert!(answers[0]["error"].as_str().unwrap().contains("record_not_requeueable"), "{answers}");
    assert!(!again.done);
}

#[tokio::test]
async fn a_stack_in_dry_run_refuses_to_requeue() {
    let world = World::with(Options { dry_run: true, ..mid_month() }).await;
    let bought = world.buy("demo-subscription", json!({})).await;
    world.client.report(json!([world.usage(&bought.license, 7)])).await.unwrap();
    world.advance(130).await;
    let path = format!("/v1/licenses/{}/usage?limit=500", bought.license);
    let (_, records) = world.client.call(reqwest::Method::GET, &path, None).await.unwrap();
    let record = records["records"][0]["record"].as_str().unwrap().to_owned();
    let said = world.run(&["usage", "requeue", &record]).await;
    assert!(!said.done && said.out.contains("reporter_dry_run"), "{said:?}");
}
