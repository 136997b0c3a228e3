//! The auditor against the sandbox: everything in it that can be broken turns the checks that it should and no others,
//! and turns them back once it is mended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use sandbox::aws::fulfillment_url;
use sandbox::web::{Spoil, WEBSITE};
use serde_json::{Value, json};
use stallkeeper::listing::Stage;
use stallkeeper::readiness::{EvidenceKind, Outcome, Report};
use tests::World;

const PRODUCT: &str = "6democonsumption0000000ab";
const ENTITY: &str = "prod-democonsumption01";

/// What nobody's word is needed for, by the check's id.
fn outcomes(report: &Report) -> BTreeMap<String, Outcome> {
    report.checks.iter().map(|finding| (finding.check.clone(), finding.outcome)).collect()
}

async fn look(world: &World) -> Report {
    let (status, report) = world.api(Method::POST, "/v1/readiness/runs", Some(json!({ "product": PRODUCT }))).await;
    assert_eq!(status, 201, "{report}");
    serde_json::from_value(report).unwrap()
}

/// A stack of which everything was seen to work.
async fn ready() -> World {
    let world = World::new().await;
    let (store, product) = (world.store(Stage::Staging), PRODUCT.parse().unwrap());
    for kind in EvidenceKind::ALL {
        store.note_evidence(&product, kind).await;
    }
    for run in ["metering", "reconcile"] {
        store.note_run(run).await;
    }
    store.note_outcome("metering", "aws-marketplace:BatchMeterUsage", true).await;
    world
}

#[tokio::test]
async fn print() {
    let world = ready().await;
    let began = Instant::now();
    let report = look(&world).await;
    for finding in &report.checks {
        println!("{:40} {:?} {:?}", finding.check, finding.outcome, finding.said);
    }
    println!("{:?}", began.elapsed());
}
