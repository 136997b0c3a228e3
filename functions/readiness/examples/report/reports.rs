//! Reports of an example listing in every state. The facts are invented, and judged as real ones.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::catalog::{
    DeliveryOptionAtAws, DimensionAtAws, EulaAtAws, OfferAtAws, PriceAtAws, ProductAtAws, PublicRequest, Visibility,
};
use domain::evidence::{Evidence, EvidenceKind, ObservedPermission};
use domain::listing::{Listing, Stage};
use jiff::{SignedDuration, Timestamp};
use readiness_checks::{
    ATTESTATION_LIFE, AlarmState, Answer, Attestation, CHECKS, Facts, ObservedAlarm, ObservedApplication,
    ObservedCertificate, ObservedLog, ObservedPage, ObservedQueue, ObservedReview, ObservedRule, ObservedSchedule,
    ObservedStack, Report, Unobserved, assess,
};
use rust_decimal::Decimal;
use serde_json::json;

/// Returns reports by the name of the state that they show, the newest last.
pub(crate) fn all() -> Vec<(&'static str, Vec<Report>)> {
    vec![
        ("nothing", nothing()),
        ("verifying", verifying()),
        ("failing", failing()),
        ("expired-attestations", expired_attestations()),
        ("test-phase-done", test_phase_done()),
        ("in-review", in_review()),
        ("public", public()),
        ("hostile", hostile()),
    ]
}

/// Returns a report of a listing that is only described.
fn nothing() -> Vec<Report> {
    let listing = listing(Stage::Staging);
    vec![assess(&bare(&listing, start()), &BTreeMap::new(), None)]
}

/// Returns reports of a product before its first test purchase, for which some sources did not answer.
fn verifying() -> Vec<Report> {
    let listing = listing(Stage::Staging);
    let first = assess(&bare(&listing, start()), &BTreeMap::new(), None);
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(24));
    facts.product.as_mut().unwrap().as_mut().unwrap().logo_url.clear();
    observe_little(&mut facts);
    let second = assess(&facts, &seller_attested(start()), Some(&first));
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(50));
    observe_little(&mut facts);
    facts.stack.point_in_time_recovery = Ok(false);
    let third = assess(&facts, &seller_attested(start()), Some(&second));
    vec![first, second, third]
}

fn observe_little(facts: &mut Facts<'_>) {
    let timed_out = |source: &str| Unobserved::TimedOut { source: source.to_owned() };
    facts.evidence = Ok(evidence(facts.now, &[EvidenceKind::TokenResolved, EvidenceKind::BadTokenRefused]));
    facts.application.plan = Err(Unobserved::NotDescribed { field: "urls.plan".to_owned() });
    facts.application.support_page = Err(timed_out("https://www.example.com/support"));
    facts.application.support_accepts_mail = Err(timed_out("DNS"));
    facts.application.plan_change = Err(Unobserved::NotDescribed { field: "urls.probe".to_owned() });
    facts.application.data_policy = Err(Unobserved::NotDescribed { field: "urls.data_policy".to_owned() });
}

/// Returns reports of a public listing in which defects appeared.
fn failing() -> Vec<Report> {
    let listing = listing(Stage::Production);
    let mut earlier = public();
    let before = earlier.pop().unwrap();
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(60 * 24));
    facts.product.as_mut().unwrap().as_mut().unwrap().visibility = Visibility::Public;
    facts.stack.dead_letters =
        Ok(vec![ObservedQueue { name: "MarketplaceEventsDeadLetters".to_owned(), messages: Some(12) }]);
    facts.stack.alarms = Ok(vec![ObservedAlarm { name: "DeadLetters".to_owned(), state: AlarmState::InAlarm }]);
    facts.stack.permissions = Err(Unobserved::Forbidden { action: "iam:SimulatePrincipalPolicy".to_owned() });
    facts.page.certificate = Ok(ObservedCertificate::Until(facts.now + SignedDuration::from_hours(9 * 24)));
    let defective = assess(&facts, &attested(start()), Some(&before));
    vec![before, defective]
}

/// Returns reports whose attestations have expired.
fn expired_attestations() -> Vec<Report> {
    let listing = listing(Stage::Staging);
    let first = assess(&complete(&listing, start()), &attested(start()), None);
    let facts = complete(&listing, start() + ATTESTATION_LIFE);
    let later = assess(&facts, &attested(start()), Some(&first));
    vec![first, later]
}

fn test_phase_done() -> Vec<Report> {
    let listing = listing(Stage::Staging);
    let first = assess(&complete(&listing, start()), &attested(start()), None);
    let facts = complete(&listing, start() + SignedDuration::from_hours(24));
    let second = assess(&facts, &attested(start()), Some(&first));
    vec![first, second]
}

/// Returns a report of a listing that AWS reviews.
fn in_review() -> Vec<Report> {
    let listing = listing(Stage::Production);
    let mut facts = complete(&listing, start());
    facts.review = Ok(ObservedReview {
        public_request: Some(PublicRequest { at: start() - SignedDuration::from_hours(30), refused: None }),
    });
    vec![assess(&facts, &seller_and_application_attested(start()), None)]
}

fn public() -> Vec<Report> {
    let listing = listing(Stage::Production);
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(24));
    facts.product.as_mut().unwrap().as_mut().unwrap().visibility = Visibility::Public;
    let before = in_review().pop();
    let report = assess(&facts, &attested(start()), before.as_ref());
    before.into_iter().chain([report]).collect()
}

/// Returns a report whose observed texts contain markup that must not take effect in the page.
fn hostile() -> Vec<Report> {
    const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x>";
    let mut listing = listing(Stage::Staging);
    listing.name = format!("Harbor {SCRIPT}");
    let mut facts = complete(&listing, start());
    facts.page.invalid_token.as_mut().unwrap().body = SCRIPT.to_owned();
    facts.stack.alarms = Ok(vec![ObservedAlarm { name: SCRIPT.to_owned(), state: AlarmState::InAlarm }]);
    facts.product.as_mut().unwrap().as_mut().unwrap().delivery_options =
        delivery_options(&format!("javascript:{SCRIPT}"));
    facts.evidence = Err(Unobserved::Unreachable { source: SCRIPT.to_owned(), reason: "x".repeat(200) });
    let mut attestations = attested(start());
    for attestation in attestations.values_mut() {
        attestation.note = format!("</blockquote>{SCRIPT}");
        attestation.by = format!("arn:aws:sts::444455556666:assumed-role/Seller/{SCRIPT}");
    }
    vec![assess(&facts, &attestations, None)]
}

fn start() -> Timestamp {
    "2026-11-10T09:20:00Z".parse().unwrap()
}

/// Returns a contract with consumption.
fn listing(stage: Stage) -> Listing {
    let text = include_str!("../../../../listings/demo-consumption.toml");
    let mut listing = Listing::parse(text).unwrap();
    listing.stage = stage;
    "Harbor Analytics".clone_into(&mut listing.name);
    listing.catalog = None;
    listing
}

fn answer(status: u16, body: &str) -> Answer {
    let headers = [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("strict-transport-security", "max-age=63072000"),
        ("cache-control", "no-store"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Answer { status, headers, body: body.to_owned(), elapsed: Duration::from_millis(180) }
}

fn evidence(at: Timestamp, kinds: &[EvidenceKind]) -> BTreeMap<EvidenceKind, Evidence> {
    kinds.iter().map(|kind| (*kind, Evidence { first: at, last: at })).collect()
}

fn product(listing: &Listing) -> ProductAtAws {
    let dimensions = listing.dimensions.iter();
    ProductAtAws {
        id: listing.product_id.clone(),
        visibility: Visibility::Limited,
        product_code: Some(listing.product_code.to_string()),
        title: listing.name.clone(),
        short_description: "Dashboards for ports and terminals.".to_owned(),
        long_description: "Dashboards for ports and terminals, from every crane and gate.".to_owned(),
        highlights: vec!["Live".to_owned()],
        search_keywords: vec!["logistics".to_owned()],
        categories: vec!["Analytic Platforms".to_owned()],
        logo_url: "https://s3.amazonaws.com/example/logo.png".to_owned(),
        support: "Write to support@example.com.".to_owned(),
        dimensions: dimensions
            .map(|dimension| DimensionAtAws {
                key: dimension.key.to_string(),
                name: dimension.name.clone(),
                description: dimension.name.clone(),
                unit: "Units".to_owned(),
                types: dimension.types.clone(),
            })
            .collect(),
        delivery_options: delivery_options("https://marketplace.example.com/register"),
        buyer_accounts: (0..5).map(|number| format!("11112222333{number}").parse().unwrap()).collect(),
    }
}

fn delivery_options(url: &str) -> Vec<DeliveryOptionAtAws> {
    vec![DeliveryOptionAtAws { id: "do-example".to_owned(), fulfillment_url: url.to_owned() }]
}

/// Returns facts that are all as they must be, as far as a program can observe them.
fn complete(listing: &Listing, now: Timestamp) -> Facts<'_> {
    let email = &listing.support.email;
    let price = |key: String| PriceAtAws {
        dimension: key,
        months: None,
        currency: "USD".to_owned(),
        amount: Decimal::new(1, 2),
    };
    Facts {
        listing,
        now,
        product: Ok(Some(product(listing))),
        offers: Ok(vec![OfferAtAws {
            id: "offer-example".to_owned(),
            name: listing.name.clone(),
            description: "The public offer.".to_owned(),
            is_released: true,
            is_for_everyone: true,
            available_until: None,
            eula: Some(EulaAtAws::Standard),
            refund_policy: "Within 30 days.".to_owned(),
            prices: listing.dimensions.iter().map(|dimension| price(dimension.key.to_string())).collect(),
            pricing_terms: Vec::new(),
        }]),
        review: Ok(ObservedReview { public_request: None }),
        page: ObservedPage {
            address: Ok("https://marketplace.example.com/register".parse().unwrap()),
            certificate: Ok(ObservedCertificate::Until(now + SignedDuration::from_hours(60 * 24))),
            invalid_token: Ok(answer(
                400,
                &format!("<html lang=\"en\">Go back to AWS Marketplace and choose Set up your account. {email}</html>"),
            )),
            form: Ok(answer(
                200,
                &format!(
                    "<!doctype html><html lang=\"en\"><form><input name=\"email\" type=\"email\"></form>\
                     <a href=\"/in\">I have an account: sign in</a> {email}</html>"
                ),
            )),
        },
        application: ObservedApplication {
            sign_up: Ok(answer(200, "<form><input type=\"email\"><button>Sign up</button></form>")),
            plan: Ok(answer(200, "Your plan")),
            support_page: Ok(answer(200, "Help")),
            support_accepts_mail: Ok(true),
            plan_change: Ok(answer(403, "")),
            plan_change_of_unknown_tenant: Ok(answer(404, "")),
            data_policy: Ok(answer(200, "How data is handled")),
        },
        stack: stack(now),
        evidence: Ok(evidence(now, &EvidenceKind::ALL)),
    }
}

fn stack(now: Timestamp) -> ObservedStack {
    ObservedStack {
        rules: Ok(vec![ObservedRule {
            name: "stallkeeper-marketplace-events".to_owned(),
            is_enabled: true,
            pattern: json!({
                "source": ["aws.agreement-marketplace"],
                "detail-type": [{ "prefix": "Purchase Agreement " }, { "prefix": "License " }],
            }),
            has_target: true,
        }]),
        subscriptions: Ok(Vec::new()),
        dead_letters: Ok(vec![ObservedQueue { name: "MarketplaceEventsDeadLetters".to_owned(), messages: Some(0) }]),
        schedules: Ok(vec![ObservedSchedule {
            name: "metering".to_owned(),
            is_enabled: true,
            max_interval: Duration::from_secs(900),
            last_run: Ok(Some(now)),
        }]),
        alarms: Ok(vec![ObservedAlarm { name: "DeadLetters".to_owned(), state: AlarmState::Active }]),
        permissions: Ok([
            ("registration", "ResolveCustomer"),
            ("subscription", "GetEntitlements"),
            ("metering", "BatchMeterUsage"),
        ]
        .map(|(function, action)| ObservedPermission {
            function: function.to_owned(),
            action: format!("aws-marketplace:{action}"),
            is_allowed: true,
            at: now,
        })
        .into()),
        point_in_time_recovery: Ok(true),
        audit_log: Ok(Some(ObservedLog { name: "stallkeeper-staging-audit".to_owned(), kept_days: Some(400) })),
    }
}

/// Returns the facts of a described listing and nothing else: no product, no pages, no resources, no evidence.
fn bare(listing: &Listing, now: Timestamp) -> Facts<'_> {
    let unobserved = Unobserved::TimedOut { source: "https://marketplace.example.com".to_owned() };
    Facts {
        product: Ok(None),
        offers: Ok(Vec::new()),
        page: ObservedPage::unobserved(&unobserved),
        application: ObservedApplication::unobserved(&unobserved),
        stack: ObservedStack::absent(),
        evidence: Ok(BTreeMap::new()),
        ..complete(listing, now)
    }
}

/// Returns an attestation of every attestable check, made at `at`.
fn attested(at: Timestamp) -> BTreeMap<String, Attestation> {
    attested_of(at, &["seller.", "app.", "production."])
}

fn seller_attested(at: Timestamp) -> BTreeMap<String, Attestation> {
    attested_of(at, &["seller."])
}

fn seller_and_application_attested(at: Timestamp) -> BTreeMap<String, Attestation> {
    attested_of(at, &["seller.", "app."])
}

fn attested_of(at: Timestamp, parts: &[&str]) -> BTreeMap<String, Attestation> {
    let by = "arn:aws:sts::444455556666:assumed-role/Seller/kim";
    let attestation = Attestation { by: by.to_owned(), at, note: "Checked together with sales.".to_owned() };
    let of_part = |id: &str| parts.iter().any(|part| id.starts_with(part));
    let ids = CHECKS.iter().filter(|check| check.is_attestable && of_part(check.id));
    ids.map(|check| (check.id.to_owned(), attestation.clone())).collect()
}
