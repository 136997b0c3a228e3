//! The auditor's data in the table: notes of the functions, attestations, reports.

use std::collections::BTreeMap;

use domain::audit::AuditEntry;
use domain::evidence::{Evidence, EvidenceKind};
use domain::ids::ProductCode;
use domain::listing::Stage;
use jiff::{SignedDuration, Timestamp};
use local_aws::Service;
use readiness_checks::{Actor, Attestation, Finding, Message, Outcome, Report, Severity};
use serde_json::{Value, json};
use store::Store;
use tests::TestEnvironment;
use ulid::Ulid;

fn product() -> ProductCode {
    "5demosubscription000000ab".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns the number of requests to the table to write a note since the last call.
fn notes(world: &TestEnvironment) -> usize {
    let wire = world.sandbox.aws().wire();
    let calls = wire.calls(Service::DynamoDb, "UpdateItem").len();
    wire.clear();
    calls
}

/// Makes an environment without scheduled runs, and the table's store as two processes have it.
async fn two_processes() -> (TestEnvironment, Store, Store) {
    let world = TestEnvironment::new().await;
    world.sandbox.set_schedule(false);
    let (one, other) = (world.store(Stage::Staging), world.store(Stage::Staging));
    notes(&world);
    (world, one, other)
}

#[tokio::test]
async fn evidence_is_written_once_a_day() {
    let (world, one, other) = two_processes().await;
    let kind = EvidenceKind::UsageAccepted;
    assert_eq!(one.evidence(&product()).await.unwrap(), BTreeMap::new());
    one.note_evidence(&product(), kind).await;
    world.advance(SignedDuration::from_mins(7)).await;
    one.note_evidence(&product(), kind).await;
    assert_eq!(notes(&world), 1, "a process remembers what it noted");
    other.note_evidence(&product(), kind).await;
    let first = at("2026-11-10T09:20:00Z");
    let noted = one.evidence(&product()).await.unwrap();
    assert_eq!(noted, BTreeMap::from([(kind, Evidence { first, last: first })]), "another changes nothing that day");
    // The first second of the next day, written with its fraction.
    world.sandbox.set(at("2026-11-11T00:00:00.25Z")).await;
    one.note_evidence(&product(), kind).await;
    other.note_evidence(&product(), EvidenceKind::TokenResolved).await;
    let last = world.now();
    let noted = other.evidence(&product()).await.unwrap();
    let token = Evidence { first: last, last };
    assert_eq!(noted, BTreeMap::from([(EvidenceKind::TokenResolved, token), (kind, Evidence { first, last })]));
    assert_eq!(one.evidence(&"4democontract0000000000ab".parse().unwrap()).await.unwrap(), BTreeMap::new());
    world.sandbox.set(at("2026-11-11T00:00:00.75Z")).await;
    world.store(Stage::Staging).note_evidence(&product(), kind).await;
    assert_eq!(one.evidence(&product()).await.unwrap()[&kind].last, last);
}

#[tokio::test]
async fn evidence_without_a_product_is_written_for_every_listing() {
    let (world, one, _) = two_processes().await;
    let kind = EvidenceKind::BadTokenRefused;
    one.note_evidence_of_all(kind).await;
    let listings = one.all_listings().await.unwrap();
    assert!(listings.len() > 1);
    for listing in &listings {
        assert!(one.evidence(&listing.product_code).await.unwrap().contains_key(&kind));
    }
    assert_eq!(notes(&world), listings.len());
    one.note_evidence_of_all(kind).await;
    let asked = world.sandbox.aws().wire().calls(Service::DynamoDb, "*");
    assert!(asked.is_empty(), "a second one asks the table nothing: {asked:?}");
}

#[tokio::test]
async fn a_failed_evidence_write_is_repeated_later() {
    let (world, one, _) = two_processes().await;
    let kind = EvidenceKind::BuyerNotified;
    world.fault(json!({ "service": "dynamodb", "operation": "UpdateItem", "kind": "access_denied" })).await;
    one.note_evidence(&product(), kind).await;
    assert_eq!((notes(&world), one.evidence(&product()).await.unwrap().len()), (1, 0));
    one.note_evidence(&product(), kind).await;
    assert_eq!(notes(&world), 0, "not at once: what cannot be written would slow every request");
    world.advance(SignedDuration::from_mins(1)).await;
    notes(&world);
    one.note_evidence(&product(), kind).await;
    assert_eq!((notes(&world), one.evidence(&product()).await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_hanging_table_delays_evidence_by_at_most_a_second() {
    let (world, one, _) = two_processes().await;
    world.fault(json!({ "service": "dynamodb", "operation": "UpdateItem", "kind": "timeout", "times": 3 })).await;
    let began = std::time::Instant::now();
    one.note_run("metering").await;
    let took = began.elapsed();
    assert!(took.as_millis() < 3000, "{took:?}");
    assert_eq!(one.runs().await.unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn a_refusal_is_recorded_immediately_and_so_is_its_recovery() {
    let (world, one, other) = two_processes().await;
    let (function, action) = ("registration", "aws-marketplace:ResolveCustomer");
    let allowed = |store: Store| async move {
        let outcomes = store.outcomes().await.unwrap();
        let [seen] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!((seen.function.as_str(), seen.action.as_str()), (function, action));
        seen.is_allowed
    };
    assert_eq!(one.outcomes().await.unwrap(), []);
    for expected in [true, false, true] {
        one.note_outcome(function, action, expected).await;
        assert_eq!((allowed(one.clone()).await, notes(&world)), (expected, 1));
        one.note_outcome(function, action, expected).await;
        assert_eq!(notes(&world), 0);
    }
    assert_eq!(one.outcomes().await.unwrap()[0].at, world.now());
    // Another process is refused while this one makes no call, and the cause is repaired before the other one calls
    // again.
    other.note_outcome(function, action, false).await;
    assert!(!allowed(one.clone()).await);
    world.advance(SignedDuration::from_mins(10)).await;
    one.note_outcome(function, action, true).await;
    assert!(allowed(one.clone()).await);
}

#[tokio::test]
async fn runs_are_recorded_every_half_hour() {
    let (world, one, other) = two_processes().await;
    one.note_run("metering").await;
    other.note_run("reconcile").await;
    let began = world.now();
    world.advance(SignedDuration::from_mins(29)).await;
    notes(&world);
    one.note_run("metering").await;
    assert_eq!(notes(&world), 0);
    assert_eq!(one.runs().await.unwrap()["metering"], began);
    world.advance(SignedDuration::from_mins(1)).await;
    one.note_run("metering").await;
    let runs = BTreeMap::from([("metering".to_owned(), world.now()), ("reconcile".to_owned(), began)]);
    assert_eq!(one.runs().await.unwrap(), runs);
}

#[tokio::test]
async fn attestations_are_kept_and_audited() {
    let (world, store, _) = two_processes().await;
    let attestation = |by: &str, note: &str| Attestation { by: by.to_owned(), at: world.now(), note: note.to_owned() };
    let (first, second) = (attestation("arn:one", "seen"), attestation("arn:two", "seen again"));
    store.put_attestation(&product(), "app.no_payment_data", &first).await.unwrap();
    store.put_attestation(&product(), "seller.bank_and_tax", &first).await.unwrap();
    store.put_attestation(&product(), "app.no_payment_data", &second).await.unwrap();
    let kept = [("app.no_payment_data", &second), ("seller.bank_and_tax", &first)];
    let kept = kept.map(|(check, said)| (check.to_owned(), said.clone()));
    assert_eq!(store.attestations(&product()).await.unwrap(), BTreeMap::from(kept));
    assert!(store.withdraw_attestation(&product(), "app.no_payment_data", Some("arn:three")).await.unwrap());
    assert!(!store.withdraw_attestation(&product(), "app.no_payment_data", Some("arn:three")).await.unwrap());
    assert_eq!(store.attestations(&product()).await.unwrap().len(), 1);
    let mut log = store.audit_log("2026-11").await.unwrap();
    log.sort_by(|one, other| (&one.action, &one.actor).cmp(&(&other.action, &other.actor)));
    let line = |entry: &AuditEntry| format!("{} {} {}", entry.actor, entry.action, entry.subject);
    let payment = "5demosubscription000000ab app.no_payment_data";
    let attest = "readiness.attest";
    let withdraw = "readiness.withdraw";
    let mut lines: Vec<String> = log.iter().map(line).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            format!("arn:one {attest} {payment}"),
            format!("arn:one {attest} 5demosubscription000000ab seller.bank_and_tax"),
            format!("arn:three {withdraw} {payment}"),
            format!("arn:two {attest} {payment}"),
        ]
    );
    assert_eq!(log.last().unwrap().before["note"], "seen again", "the withdrawn note is in the log");
}

fn report(id: u64, text: &str) -> Report {
    let finding = Finding {
        check: "listing.found".to_owned(),
        step: "test.product_registered".to_owned(),
        severity: Severity::Required,
        actor: Actor::Seller,
        outcome: Outcome::Fail,
        is_defect: true,
        is_attestable: false,
        message: Message {
            id: "listing-found.none".to_owned(),
            arguments: BTreeMap::from([("product".to_owned(), text.to_owned())]),
        },
        attestation: None,
        since: at("2026-11-01T00:00:00Z"),
    };
    Report {
        id: Ulid::from_parts(id, 7),
        at: at("2026-11-10T09:20:00Z"),
        product: product(),
        name: "Demo".to_owned(),
        stage: Stage::Staging,
        visibility: None,
        steps: Vec::new(),
        checks: vec![finding],
    }
}

#[tokio::test]
async fn reports_are_read_newest_first_page_by_page() {
    let (_world, store, _) = two_processes().await;
    assert_eq!(store.latest_report(&product()).await.unwrap(), None);
    let reports: Vec<Report> = (1..=5).map(|id| report(id, &format!("report {id}"))).collect();
    for report in &reports {
        store.put_report(report).await.unwrap();
    }
    store.note_evidence(&product(), EvidenceKind::UsageAccepted).await;
    assert_eq!(store.latest_report(&product()).await.unwrap().as_ref(), reports.last());
    let (mut read, mut before) = (Vec::new(), None);
    loop {
        let (page, next) = store.reports(&product(), before, 2).await.unwrap();
        assert!(page.len() <= 2);
        read.extend(page);
        before = next;
        if before.is_none() {
            break;
        }
    }
    read.reverse();
    assert_eq!(read, reports);
    assert!(store.listing(&product()).await.unwrap().is_some(), "the listing is beside them, and is what it was");
}

#[tokio::test]
async fn a_report_fits_into_an_item() {
    let (world, store, _) = two_processes().await;
    let mut long = report(1, "");
    let finding = long.checks[0].clone();
    long.checks = (0..60)
        .map(|_| {
            let mut finding = finding.clone();
            finding.message.arguments.insert("product".to_owned(), "長".repeat(20_000));
            finding
        })
        .collect();
    store.put_report(&long).await.unwrap();
    let put: Value = world.sandbox.aws().wire().calls(Service::DynamoDb, "PutItem").pop().unwrap().body;
    assert!(put.to_string().len() < 400_000, "{}", put.to_string().len());
    let expires_at: i64 = put["Item"]["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at - long.at.as_second(), 400 * 24 * 3600);
    let kept = store.latest_report(&product()).await.unwrap().unwrap();
    assert_eq!(kept.checks.len(), 60);
    assert_eq!(kept.checks[0].message.arguments["product"].chars().count(), 1001);
}
