//! The auditor in the sandbox: each defect changes the checks that it should and no others, and its repair changes them
//! back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ::readiness::{Internet, Readiness};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::evidence::EvidenceKind;
use domain::ids::ProductCode;
use domain::listing::Stage;
use jiff::SignedDuration;
use local_aws::Service;
use readiness_checks::{CHECKS, Outcome, Report, StepState};
use reqwest::Method;
use sandbox::web::{Alteration, WEBSITE};
use serde_json::{Map, Value, json};
use tests::TestEnvironment;
use tests::audit::{Outcomes, changed_outcomes, each, outcomes};

const PRODUCT: &str = "6democonsumption0000000ab";
const LEGACY: &str = "7demolegacy00000000000ab";
const ENTITY: &str = "prod-democonsumption01";
const OFFER: &str = "offer-democonsumption01";
const REGISTER: &str = "staging.register.example.com";
const APPLICATION: &str = "staging.app.example.com";

/// The checks that no program can do completely.
const ATTESTED_CHECKS: [&str; 4] =
    ["seller.public_profile", "seller.bank_and_tax", "app.no_payment_data", "app.data_policy"];

/// The calls to AWS that a contract with consumption needs, each with the function that was allowed it.
const ALLOWED: [(&str, &str); 3] = [
    ("registration", "aws-marketplace:ResolveCustomer"),
    ("subscription", "aws-marketplace:GetEntitlements"),
    ("metering", "aws-marketplace:BatchMeterUsage"),
];

/// The kinds of evidence, each with the check that depends on it.
const EVIDENCE_CHECKS: [(EvidenceKind, &str); 10] = [
    (EvidenceKind::TokenResolved, "evidence.token_resolved"),
    (EvidenceKind::LicenseActivated, "evidence.license_activated"),
    (EvidenceKind::EntitlementRead, "evidence.entitlement_read"),
    (EvidenceKind::UsageAccepted, "evidence.usage_accepted"),
    (EvidenceKind::AgreementChanged, "evidence.agreement_changed"),
    (EvidenceKind::EndingFlushed, "evidence.ending_flushed"),
    (EvidenceKind::BuyerNotified, "evidence.buyer_notified"),
    (EvidenceKind::ExistingAccountLinked, "app.existing_account"),
    (EvidenceKind::SecondClaimRefused, "app.existing_account"),
    (EvidenceKind::EntitlementAsked, "app.plan_visible"),
];

fn product() -> ProductCode {
    PRODUCT.parse().unwrap()
}

/// Makes a stack with all evidence except the given kinds.
async fn ready_without(lacking: &[EvidenceKind]) -> TestEnvironment {
    let world = TestEnvironment::new().await;
    let store = world.store(Stage::Staging);
    for kind in EvidenceKind::ALL.into_iter().filter(|kind| !lacking.contains(kind)) {
        store.note_evidence(&product(), kind).await;
    }
    for run in ["metering", "reconcile", "readiness"] {
        store.note_run(run).await;
    }
    for (function, action) in ALLOWED {
        store.note_outcome(function, action, true).await;
    }
    world
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A defect.
enum Defect {
    /// A change of the stack.
    Wiring(Value),
    /// A change of the product in AWS.
    Product(Value),
    /// The removal of the terms of these types from the offer in AWS.
    Terms(&'static [&'static str]),
    /// A change of the offer in AWS.
    Offer(Value),
    /// A change of a page's answers.
    Page(&'static str, &'static str, Vec<Alteration>),
    /// The refusal of an operation by AWS.
    Refused(&'static str, &'static str),
    /// A certificate that ends in this number of days.
    Certificate(i64),
}

impl Defect {
    async fn make(&self, world: &TestEnvironment) {
        let catalog = world.sandbox.aws().catalog();
        match self {
            Self::Wiring(patch) => world.sandbox.patch_wiring(Stage::Staging, object(patch.clone())).unwrap(),
            Self::Product(patch) => catalog.patch(ENTITY, object(patch.clone())).unwrap(),
            Self::Offer(patch) => catalog.patch(OFFER, object(patch.clone())).unwrap(),
            Self::Terms(types) => {
                let offer = catalog.entity_overviews().into_iter().find(|entity| entity.id == OFFER).unwrap();
                let mut terms = offer.details["Terms"].as_array().unwrap().clone();
                let before = terms.len();
                terms.retain(|term| !types.contains(&term["Type"].as_str().unwrap()));
                assert_eq!(before - terms.len(), types.len(), "a type is not there");
                catalog.patch(OFFER, object(json!({ "Terms": terms }))).unwrap();
            }
            Self::Page(host, path, alterations) => {
                for alteration in alterations {
                    world.sandbox.web().alter(host, path, alteration.clone());
                }
            }
            Self::Refused(service, operation) => {
                let fault = json!({
                    "service": service, "operation": operation, "call": 1, "times": 1000, "kind": "access_denied",
                });
                world.fault(fault).await;
            }
            Self::Certificate(days) => world.sandbox.web().set_certificate_validity(*days).unwrap(),
        }
    }
}

async fn restore(world: &TestEnvironment) {
    world.sandbox.reset_wiring(Stage::Staging);
    world.sandbox.aws().catalog().reset(&product()).unwrap();
    world.sandbox.web().restore().unwrap();
    world.sandbox.aws().faults().clear();
}

fn replaced(what: &str, with: &str) -> Alteration {
    Alteration::Replace { what: what.to_owned(), with: with.to_owned() }
}

/// Returns all defects, each with the checks that it changes and their new outcome.
fn defects() -> Vec<(Defect, String, Outcome)> {
    use Defect::{Certificate, Offer, Page, Product, Refused, Terms, Wiring};
    use Outcome::{Fail, Unknown};
    let on_the_form =
        "page.email_field page.support_contact page.english page.existing_account_link page.security_headers";
    let any_answer = format!("page.accepts_post page.bad_token_explained {on_the_form}");
    let over_https = format!("{any_answer} app.self_signup app.plan_visible app.plan_locked");
    let of_offers = "listing.eula listing.refund_policy listing.price_positive listing.not_private_only";
    let of_product = "seller.registration listing.found listing.product_code listing.fulfillment_url listing.dimensions \
                      listing.description_complete listing.logo listing.support_text listing.eula \
                      listing.refund_policy listing.price_positive listing.not_private_only listing.targeting";
    let register = |alterations| Page(REGISTER, "/register", alterations);
    let application = |path, alter| Page(APPLICATION, path, vec![alter]);
    let elsewhere = || Alteration::Redirect("https://elsewhere.example.com/".to_owned());
    let rows: Vec<(Defect, &str, Outcome)> = vec![
        (Wiring(json!({ "rule": { "state": "DISABLED" } })), "wiring.eventbridge_rule", Fail),
        (Wiring(json!({ "rule": { "has_target": false } })), "wiring.eventbridge_rule", Fail),
        (Wiring(json!({ "rule": { "pattern": { "source": ["aws.ec2"] } } })), "wiring.eventbridge_rule", Fail),
        (Wiring(json!({ "schedules": { "metering": "DISABLED" } })), "wiring.schedules", Fail),
        (Wiring(json!({ "alarms": { "RefusedAlarm": "ALARM" } })), "wiring.alarms", Fail),
        (Wiring(json!({ "alarms": { "RefusedAlarm": null } })), "wiring.alarms", Fail),
        (Wiring(json!({ "disabled_alarm_actions": ["RefusedAlarm"] })), "wiring.alarms", Fail),
        (Wiring(json!({ "dead_letters": { "marketplace_events": 1 } })), "wiring.queues_drained", Fail),
        (Wiring(json!({ "point_in_time_recovery": false })), "wiring.backups", Fail),
        (Wiring(json!({ "audit_log": { "retention_days": 30 } })), "wiring.audit_log", Fail),
        (Wiring(json!({ "audit_log": null })), "wiring.audit_log", Fail),
        (Refused("eventbridge", "DescribeRule"), "wiring.eventbridge_rule", Unknown),
        (Refused("scheduler", "GetSchedule"), "wiring.schedules", Unknown),
        (Refused("cloudwatch", "DescribeAlarms"), "wiring.alarms", Unknown),
        (Refused("sqs", "GetQueueAttributes"), "wiring.queues_drained", Unknown),
        (Refused("dynamodb", "DescribeContinuousBackups"), "wiring.backups", Unknown),
        (Refused("logs", "DescribeLogGroups"), "wiring.audit_log", Unknown),
        (Refused("catalog", "DescribeEntity"), of_product, Unknown),
        (Refused("catalog", "ListEntities"), of_offers, Unknown),
        (Product(json!({ "Description": { "Visibility": "Restricted" } })), "listing.found", Fail),
        (Product(json!({ "Description": { "ProductCode": "another" } })), "listing.product_code", Fail),
        (Product(json!({ "Versions": [] })), "listing.fulfillment_url", Fail),
        (Product(json!({ "Dimensions": [] })), "listing.dimensions", Fail),
        (Product(json!({ "Description": { "Highlights": [] } })), "listing.description_complete", Fail),
        (Product(json!({ "PromotionalResources": { "LogoUrl": null } })), "listing.logo", Fail),
        (Product(json!({ "SupportInformation": { "Description": null } })), "listing.support_text", Fail),
        (Product(json!({ "Targeting": null })), "listing.targeting", Fail),
        (Terms(&["LegalTerm"]), "listing.eula", Fail),
        (Terms(&["SupportTerm"]), "listing.refund_policy", Fail),
        (Terms(&["UsageBasedPricingTerm"]), "listing.price_positive", Fail),
        (
            Offer(json!({ "Rules": [{ "Type": "TargetingRule",
                "PositiveTargeting": { "BuyerAccounts": ["111122223333"] } }] })),
            of_offers,
            Fail,
        ),
        (Certificate(5), "page.https", Fail),
        (Certificate(-1), &over_https, Unknown),
        (register(vec![Alteration::Status(502)]), &any_answer, Fail),
        (register(vec![replaced("</body>", "panicked at</body>")]), "page.bad_token_explained", Fail),
        (register(vec![replaced("\"email\"", "\"mail\"")]), "page.email_field", Fail),
        (register(vec![replaced("support@example.com", "nobody")]), "page.support_contact", Fail),
        (register(vec![replaced("lang=\"en", "lang=\"xx")]), "page.english", Fail),
        (register(vec![replaced("I already have an account", "…")]), "page.existing_account_link", Fail),
        (
            register(vec![Alteration::WithoutHeader("content-security-policy".to_owned())]),
            "page.security_headers",
            Fail,
        ),
        (application("/sign-up", Alteration::Status(500)), "app.self_signup", Fail),
        (application("/sign-up", elsewhere()), "app.self_signup", Unknown),
        (application("/sign-up", replaced("type=\"email\"", "type=\"hidden\"")), "app.self_signup", Unknown),
        (application("/plan", Alteration::Status(404)), "app.plan_visible", Fail),
        (application("/plan", elsewhere()), "app.plan_visible", Unknown),
        (application("/plan", Alteration::Status(403)), "app.plan_visible", Unknown),
        (application("/plan/probe", Alteration::Status(200)), "app.plan_locked", Fail),
        (application("/plan/probe", Alteration::Status(500)), "app.plan_locked", Unknown),
        (application("/plan/probe", Alteration::Status(403)), "app.plan_locked", Unknown),
        (application("/plan/probe", Alteration::Redirect("/plan".to_owned())), "app.plan_locked", Unknown),
        (Page(WEBSITE, "/data", vec![Alteration::Status(404)]), "app.data_policy", Fail),
    ];
    rows.into_iter().map(|(broken, checks, outcome)| (broken, checks.to_owned(), outcome)).collect()
}

#[tokio::test]
async fn breaking_one_part_fails_exactly_its_checks_and_repairing_it_passes_them() {
    use Defect::Certificate;
    use Outcome::{Fail, Unknown};
    let world = ready_without(&[]).await;
    let ready = world.outcomes(PRODUCT).await;
    let open: Outcomes = ready.clone().into_iter().filter(|(_, outcome)| *outcome != Outcome::Pass).collect();
    assert_eq!(open, each(&ATTESTED_CHECKS.join(" "), Unknown), "only attested checks are open");
    for (number, (broken, checks, outcome)) in defects().iter().enumerate() {
        broken.make(&world).await;
        let seen = changed_outcomes(&ready, &world.outcomes(PRODUCT).await);
        let mut wanted = each(checks, *outcome);
        if matches!(broken, Certificate(_)) && *outcome == Unknown {
            // No request continues after a certificate has ended. The end itself is observed.
            wanted.insert("page.https".to_owned(), Fail);
        }
        assert_eq!(seen, wanted, "break {number}");
        restore(&world).await;
        assert_eq!(changed_outcomes(&ready, &world.outcomes(PRODUCT).await), Outcomes::new(), "mend {number}");
    }
}

#[tokio::test]
async fn evidence_is_missing_until_a_function_writes_it() {
    for (kind, check) in EVIDENCE_CHECKS {
        let world = ready_without(&[kind]).await;
        let lacking = world.outcomes(PRODUCT).await;
        world.store(Stage::Staging).note_evidence(&product(), kind).await;
        let there = world.outcomes(PRODUCT).await;
        assert_eq!(changed_outcomes(&there, &lacking), each(check, Outcome::Fail), "{kind:?}");
        assert_eq!(there[check], Outcome::Pass);
    }
    // AWS refuses the auditor's own invalid token as it refuses any other.
    let world = ready_without(&[EvidenceKind::BadTokenRefused]).await;
    world.audit(PRODUCT).await;
    assert_eq!(world.outcomes(PRODUCT).await["evidence.bad_token_refused"], Outcome::Pass);
}

#[tokio::test]
async fn a_missing_permission_fails_its_check_until_it_is_granted() {
    let world = ready_without(&[]).await;
    let ready = world.outcomes(PRODUCT).await;
    let store = world.store(Stage::Staging);
    store.note_outcome("metering", "aws-marketplace:BatchMeterUsage", false).await;
    assert_eq!(changed_outcomes(&ready, &world.outcomes(PRODUCT).await), each("wiring.permissions", Outcome::Fail));
    store.note_outcome("metering", "aws-marketplace:BatchMeterUsage", true).await;
    assert_eq!(changed_outcomes(&ready, &world.outcomes(PRODUCT).await), Outcomes::new());
}

#[tokio::test]
async fn support_without_a_page_needs_a_mail_domain() {
    let world = ready_without(&[]).await;
    let ready = world.outcomes(PRODUCT).await;
    let store = world.store(Stage::Staging);
    let listing = store.listing(&product()).await.unwrap().unwrap();
    let mut deaf = listing.clone();
    deaf.support.email = "support@nomail.example.com".to_owned();
    for (pushed, wanted) in [(&deaf, each("app.support_reachable", Outcome::Fail)), (&listing, Outcomes::new())] {
        store.put_listing(pushed).await.unwrap();
        // A function caches a listing for a minute.
        world.advance(SignedDuration::from_mins(2)).await;
        assert_eq!(changed_outcomes(&ready, &world.outcomes(PRODUCT).await), wanted);
    }
}

#[tokio::test]
async fn an_attestation_passes_an_unverifiable_check_and_can_be_withdrawn() {
    let world = ready_without(&[]).await;
    let ready = world.outcomes(PRODUCT).await;
    for check in ATTESTED_CHECKS {
        let path = format!("/v1/readiness/attestations/{check}");
        let said = json!({ "product": PRODUCT, "note": "Looked at by hand." });
        let (status, attested) = world.api(Method::PUT, &path, Some(said)).await;
        assert_eq!((status, &attested["note"]), (200, &json!("Looked at by hand.")), "{attested}");
        assert_eq!(world.outcomes(PRODUCT).await[check], Outcome::Attested);
    }
    let all = world.audit(PRODUCT).await;
    assert!(all.steps.iter().all(|step| step.state == StepState::Done), "{:?}", all.steps);
    for check in ATTESTED_CHECKS {
        let path = format!("/v1/readiness/attestations/{check}?product={PRODUCT}");
        assert_eq!(world.api(Method::DELETE, &path, None).await.0, 204);
        assert_eq!(world.api(Method::DELETE, &path, None).await.1["code"], "attestation_unknown");
    }
    assert_eq!(changed_outcomes(&ready, &world.outcomes(PRODUCT).await), Outcomes::new());
    let history = format!("/v1/readiness/history?product={PRODUCT}&limit=3");
    let (_, page) = world.api(Method::GET, &history, None).await;
    assert_eq!(page["reports"].as_array().unwrap().len(), 3, "{page}");
    assert_eq!(page["reports"][2]["id"], page["next"]);
    let (_, latest) = world.api(Method::GET, &format!("/v1/readiness?product={PRODUCT}"), None).await;
    assert_eq!(latest["id"], page["reports"][0]["id"]);
}

#[tokio::test]
async fn an_unreadable_report_is_skipped() {
    let world = ready_without(&[]).await;
    let first = world.audit(PRODUCT).await;
    world.advance(SignedDuration::from_mins(1)).await;
    let newest = world.audit(PRODUCT).await;
    // The item has the form that a newer version may write before it is rolled back.
    let client = aws_sdk_dynamodb::Client::new(world.sandbox.sdk_config());
    let table = world.sandbox.table(Stage::Staging).unwrap();
    let written = client.scan().table_name(table).send().await.unwrap().items.unwrap();
    let sk = AttributeValue::S(format!("REPORT#{}", newest.id));
    let mut item = written.into_iter().find(|item| item.get("sk") == Some(&sk)).unwrap();
    item.insert("visibility".to_owned(), AttributeValue::S("of a newer version".to_owned()));
    client.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();

    let (status, report) = world.api(Method::GET, &format!("/v1/readiness?product={PRODUCT}"), None).await;
    assert_eq!((status, &report["id"]), (200, &json!(first.id.to_string())), "{report}");
    let (status, all) = world.api(Method::GET, "/v1/readiness", None).await;
    assert_eq!((status, &all["reports"][0]["id"]), (200, &json!(first.id.to_string())), "{all}");
    world.advance(SignedDuration::from_mins(1)).await;
    let next = world.audit(PRODUCT).await;
    assert_eq!(next.steps[0].since, first.steps[0].since, "what was before it is known");
    let (_, page) = world.api(Method::GET, &format!("/v1/readiness/history?product={PRODUCT}&limit=2"), None).await;
    assert_eq!(page["reports"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["next"], json!(newest.id.to_string()), "and the next page is found");
}

#[tokio::test]
async fn listings_are_shown_before_the_first_report() {
    let world = TestEnvironment::new().await;
    let (status, answer) = world.api(Method::GET, "/v1/readiness", None).await;
    assert_eq!((status, &answer["reports"]), (200, &json!([])), "{answer}");
    assert!(answer["products"].as_array().unwrap().contains(&json!(PRODUCT)), "{answer}");
}

#[tokio::test]
async fn a_refusal_names_the_refused_action() {
    let world = ready_without(&[]).await;
    // The first described entity is the product. The others are its offers.
    for (operation, call) in [("ListEntities", 1), ("DescribeEntity", 2)] {
        let fault = json!({
            "service": "catalog", "operation": operation, "call": call, "times": 1000, "kind": "access_denied",
        });
        world.fault(fault).await;
        let report = world.audit(PRODUCT).await;
        let eula = report.checks.iter().find(|finding| finding.check == "listing.eula").unwrap();
        assert_eq!(eula.message.id, "unobserved.forbidden", "{operation}");
        assert_eq!(eula.message.arguments["action"], format!("aws-marketplace:{operation}"));
        restore(&world).await;
    }
}

/// Returns the auditor of a stack of which only the given parts are named.
fn auditor(world: &TestEnvironment, parts: Value) -> Readiness {
    let mut deployment = object(json!({
        "stack": "any", "registration_url": null, "marketplace_events_rule": "any", "marketplace_events_queue": "any", "schedules": [],
        "dead_letters": [], "alarms": [], "audit_log": "any", "subscriptions": [],
    }));
    deployment.extend(object(parts));
    let clock = world.sandbox.clock();
    Readiness::new(
        world.sandbox.sdk_config(),
        world.sandbox.table(Stage::Staging).unwrap(),
        serde_json::from_value(deployment.into()).unwrap(),
        Internet::new(world.sandbox.web().known(), clock.clone()),
        clock.clone(),
    )
}

#[tokio::test]
async fn deleted_parts_fail_their_checks() {
    let world = TestEnvironment::new().await;
    let endpoint = world.sandbox.sdk_config().endpoint_url().unwrap().to_owned();
    let topic = format!("arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{LEGACY}");
    let deleted = json!({
        "dead_letters": [format!("{endpoint}/444455556666/deleted")],
        "alarms": ["PausedAlarm"],
        "subscriptions": [format!("{topic}:00000000-0000-0000-0000-000000000000")],
    });
    let reports = auditor(&world, deleted).run(None).await.unwrap();
    let legacy = reports.iter().find(|report| report.product.as_str() == LEGACY).unwrap();
    for (check, said) in [
        ("wiring.queues_drained", "wiring-queues-drained.deleted"),
        ("wiring.alarms", "wiring-alarms.missing"),
        ("wiring.sns_subscription", "wiring-sns-subscription.deleted"),
    ] {
        let finding = legacy.checks.iter().find(|finding| finding.check == check).unwrap();
        assert_eq!((finding.outcome, finding.is_defect, finding.message.id.as_str()), (Outcome::Fail, true, said));
    }
}

#[tokio::test]
async fn a_scheduled_run_checks_the_stack_once_and_only_it_counts_as_a_run() {
    let world = TestEnvironment::new().await;
    let store = world.store(Stage::Staging);
    world.audit(PRODUCT).await;
    assert_eq!(store.runs().await.unwrap().get("readiness"), None, "a requested run does not count");
    let auditor = auditor(&world, json!({}));
    let runs = || world.sandbox.aws().wire().calls(Service::EventBridge, "DescribeRule").len();
    let before = runs();
    let reports = auditor.run(None).await.unwrap();
    assert!(reports.len() > 1, "the stack has several listings");
    assert_eq!(runs() - before, 1);
    assert_eq!(store.runs().await.unwrap().get("readiness"), Some(&world.now()));
}

#[tokio::test]
async fn reports_have_codes_and_texts_in_both_languages() {
    let world = ready_without(&[EvidenceKind::UsageAccepted]).await;
    world.audit(PRODUCT).await;
    for (language, title, observed, remediation) in [
        ("en", "AWS accepted a usage record", "Not observed yet.", "Report usage"),
        ("ja", "AWS が利用量レコードを受け付けた", "まだ実績がありません。", "利用量を報告し"),
    ] {
        let all = world.api(Method::GET, &format!("/v1/readiness?language={language}"), None).await.1;
        let one = world.api(Method::GET, &format!("/v1/readiness?product={PRODUCT}&language={language}"), None).await.1;
        assert!(all["reports"].as_array().unwrap().contains(&one), "{all}");
        let checks = one["checks"].as_array().unwrap();
        for check in checks {
            for told in ["title", "observed", "remediation", "source"] {
                let text = check[told].as_str().unwrap_or_default();
                assert!(!text.is_empty() && !text.contains("term-"), "{told} of {check}");
            }
        }
        let usage = checks.iter().find(|check| check["check"] == "evidence.usage_accepted").unwrap();
        assert_eq!((&usage["title"], &usage["observed"]), (&json!(title), &json!(observed)));
        assert!(usage["remediation"].as_str().unwrap().contains(remediation), "{usage}");
        let report: Report = serde_json::from_value(one.clone()).unwrap();
        assert_eq!(report.checks.len(), checks.len(), "the stored report is read from the answer");
    }
}

#[tokio::test]
async fn a_report_is_written_in_time_when_nothing_answers() {
    let world = ready_without(&[]).await;
    let began = Instant::now();
    world.audit(PRODUCT).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    for (service, operation) in [
        ("catalog", "DescribeEntity"),
        ("catalog", "ListEntities"),
        ("catalog", "ListChangeSets"),
        ("eventbridge", "DescribeRule"),
        ("eventbridge", "ListTargetsByRule"),
        ("scheduler", "GetSchedule"),
        ("cloudwatch", "DescribeAlarms"),
        ("logs", "DescribeLogGroups"),
        ("sqs", "GetQueueAttributes"),
        ("dynamodb", "DescribeContinuousBackups"),
        ("dynamodb", "TransactWriteItems"), // by which the probe is made
    ] {
        let fault = json!({ "service": service, "operation": operation, "call": 1, "times": 1000, "kind": "hang" });
        world.fault(fault).await;
    }
    for (host, path) in [
        (REGISTER, "/register"),
        (APPLICATION, "/sign-up"),
        (APPLICATION, "/plan"),
        (APPLICATION, "/plan/probe"),
        (WEBSITE, "/data"),
    ] {
        world.sandbox.web().alter(host, path, Alteration::Hang);
    }
    let began = Instant::now();
    let report = world.audit(PRODUCT).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let said = |check: &str| report.checks.iter().find(|finding| finding.check == check).unwrap().message.id.as_str();
    for check in ["listing.found", "listing.eula", "wiring.alarms", "wiring.backups", "page.email_field"] {
        assert_eq!(said(check), "unobserved.timed-out", "{check}");
    }
    for (check, outcome) in outcomes(&report) {
        let is_looked_at = ["wiring.", "listing.", "page."].iter().any(|part| check.starts_with(part));
        let needs_nobody = ["wiring.permissions", "page.https"].contains(&check.as_str());
        assert!(!is_looked_at || needs_nobody || outcome == Outcome::Unknown, "{check}: {outcome:?}");
    }
}

#[test]
fn every_check_is_failed_by_some_test() {
    let elsewhere = [
        "evidence.bad_token_refused",
        "wiring.permissions",
        "app.support_reachable",
        "wiring.sns_subscription",
        "production.final_review_requested",
        "production.published",
    ];
    let mut covered: BTreeSet<String> = elsewhere.map(str::to_owned).into();
    covered.extend(EVIDENCE_CHECKS.map(|(_, check)| check.to_owned()));
    covered.extend(ATTESTED_CHECKS.map(str::to_owned));
    covered.extend(defects().iter().flat_map(|(_, checks, _)| checks.split(' ').map(str::to_owned)));
    let all: BTreeSet<String> = CHECKS.iter().map(|check| check.id.to_owned()).collect();
    assert_eq!(covered, all);
}
