//! Reports of a listing on its way: what was seen is made up, how it is judged is not.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::catalog::{
    DeliveryOptionAtAws, DimensionAtAws, EulaAtAws, Life, OfferAtAws, PriceAtAws, ProductAtAws, PublicRequest,
};
use domain::evidence::{Evidence, EvidenceKind, PermissionSeen};
use domain::listing::{Listing, Stage};
use jiff::{SignedDuration, Timestamp};
use readiness_checks::{
    ATTESTATION_LIFE, AlarmSeen, AlarmState, Answer, ApplicationSeen, Attestation, Blind, CHECKS, CertificateSeen,
    Facts, LogSeen, Look, PageSeen, QueueSeen, Report, ReviewSeen, RuleSeen, ScheduleSeen, StackSeen, assess,
};
use rust_decimal::Decimal;
use serde_json::json;

/// Reports by the name of what they show; of each the newest is the last.
pub(crate) fn all() -> Vec<(&'static str, Vec<Report>)> {
    vec![
        ("nothing", nothing()),
        ("verifying", verifying()),
        ("failing", failing()),
        ("old-attestations", old_attestations()),
        ("test-phase-done", test_phase_done()),
        ("in-review", in_review()),
        ("public", public()),
        ("hostile", hostile()),
    ]
}

/// A listing that is described, and nothing else.
fn nothing() -> Vec<Report> {
    let listing = listing(Stage::Staging);
    vec![assess(&bare(&listing, start()), &BTreeMap::new(), None)]
}

/// The product is at AWS; the first test purchase is to come, and some sources could not be asked.
fn verifying() -> Vec<Report> {
    let listing = listing(Stage::Staging);
    let first = assess(&bare(&listing, start()), &BTreeMap::new(), None);
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(24));
    facts.product.as_mut().unwrap().as_mut().unwrap().logo_url.clear();
    little_seen(&mut facts);
    let second = assess(&facts, &seller_attested(start()), Some(&first));
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(50));
    little_seen(&mut facts);
    facts.stack.point_in_time_recovery = Ok(false);
    let third = assess(&facts, &seller_attested(start()), Some(&second));
    vec![first, second, third]
}

fn little_seen(facts: &mut Facts<'_>) {
    let slow = |what: &str| Blind::TimedOut { what: what.to_owned() };
    facts.evidence = Ok(evidence(facts.now, &[EvidenceKind::TokenResolved, EvidenceKind::BadTokenRefused]));
    facts.application.plan = Err(Blind::NotDescribed { field: "urls.plan".to_owned() });
    facts.application.support_page = Err(slow("https://www.example.com/support"));
    facts.application.support_takes_mail = Err(slow("DNS"));
    facts.application.plan_change = Err(Blind::NotDescribed { field: "urls.probe".to_owned() });
    facts.application.data_policy = Err(Blind::NotDescribed { field: "urls.data_policy".to_owned() });
}

/// All was done, and something broke.
fn failing() -> Vec<Report> {
    let listing = listing(Stage::Production);
    let mut earlier = public();
    let before = earlier.pop().unwrap();
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(60 * 24));
    facts.product.as_mut().unwrap().as_mut().unwrap().life = Life::Public;
    facts.stack.dead_letters =
        Ok(vec![QueueSeen { name: "MarketplaceEventsDeadLetters".to_owned(), messages: Some(12) }]);
    facts.stack.alarms = Ok(vec![AlarmSeen { name: "DeadLetters".to_owned(), state: AlarmState::Rings }]);
    facts.stack.permissions = Err(Blind::Forbidden { action: "iam:SimulatePrincipalPolicy".to_owned() });
    facts.page.certificate = Ok(CertificateSeen::Until(facts.now + SignedDuration::from_hours(9 * 24)));
    let broken = assess(&facts, &attested(start()), Some(&before));
    vec![before, broken]
}

/// What people said is too old to stand.
fn old_attestations() -> Vec<Report> {
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

/// AWS has been asked, and has not answered yet.
fn in_review() -> Vec<Report> {
    let listing = listing(Stage::Production);
    let mut facts = complete(&listing, start());
    facts.review = Ok(ReviewSeen {
        public_request: Some(PublicRequest { at: start() - SignedDuration::from_hours(30), refused: None }),
    });
    vec![assess(&facts, &seller_and_application_attested(start()), None)]
}

fn public() -> Vec<Report> {
    let listing = listing(Stage::Production);
    let mut facts = complete(&listing, start() + SignedDuration::from_hours(24));
    facts.product.as_mut().unwrap().as_mut().unwrap().life = Life::Public;
    let before = in_review().pop();
    let report = assess(&facts, &attested(start()), before.as_ref());
    before.into_iter().chain([report]).collect()
}

/// Whatever is seen elsewhere tries to break out of the page.
fn hostile() -> Vec<Report> {
    const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x>";
    let mut listing = listing(Stage::Staging);
    listing.name = format!("Harbor {SCRIPT}");
    let mut facts = complete(&listing, start());
    facts.page.made_up_token.as_mut().unwrap().body = SCRIPT.to_owned();
    facts.stack.alarms = Ok(vec![AlarmSeen { name: SCRIPT.to_owned(), state: AlarmState::Rings }]);
    facts.product.as_mut().unwrap().as_mut().unwrap().delivery_options =
        delivery_options(&format!("javascript:{SCRIPT}"));
    facts.evidence = Err(Blind::Unreachable { what: SCRIPT.to_owned(), reason: "x".repeat(200) });
    let mut said = attested(start());
    for attestation in said.values_mut() {
        attestation.note = format!("</blockquote>{SCRIPT}");
        attestation.by = format!("arn:aws:sts::444455556666:assumed-role/Seller/{SCRIPT}");
    }
    vec![assess(&facts, &said, None)]
}

fn start() -> Timestamp {
    "2026-11-10T09:20:00Z".parse().unwrap()
}

/// A contract with consumption.
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
    Answer { status, headers, body: body.to_owned(), took: Duration::from_millis(180) }
}

fn evidence(at: Timestamp, kinds: &[EvidenceKind]) -> BTreeMap<EvidenceKind, Evidence> {
    kinds.iter().map(|kind| (*kind, Evidence { first: at, last: at })).collect()
}

fn product(listing: &Listing) -> ProductAtAws {
    let dimensions = listing.dimensions.iter();
    ProductAtAws {
        id: listing.product_id.clone(),
        life: Life::Limited,
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

/// Everything as it must be, as far as a program can see it.
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
        review: Ok(ReviewSeen { public_request: None }),
        page: PageSeen {
            address: Ok("https://marketplace.example.com/register".parse().unwrap()),
            certificate: Ok(CertificateSeen::Until(now + SignedDuration::from_hours(60 * 24))),
            made_up_token: Ok(answer(
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
        application: ApplicationSeen {
            sign_up: Ok(answer(200, "<form><input type=\"email\"><button>Sign up</button></form>")),
            plan: Ok(answer(200, "Your plan")),
            support_page: Ok(answer(200, "Help")),
            support_takes_mail: Ok(true),
            plan_change: Ok(answer(403, "")),
            plan_change_of_nobody: Ok(answer(404, "")),
            data_policy: Ok(answer(200, "How data is handled")),
        },
        stack: stack(now),
        evidence: Ok(evidence(now, &EvidenceKind::ALL)),
    }
}

fn stack(now: Timestamp) -> StackSeen {
    StackSeen {
        rules: Ok(vec![RuleSeen {
            name: "stallkeeper-news".to_owned(),
            is_enabled: true,
            pattern: json!({
                "source": ["aws.agreement-marketplace"],
                "detail-type": [{ "prefix": "Purchase Agreement " }, { "prefix": "License " }],
            }),
            has_target: true,
        }]),
        subscriptions: Ok(Vec::new()),
        dead_letters: Ok(vec![QueueSeen { name: "MarketplaceEventsDeadLetters".to_owned(), messages: Some(0) }]),
        schedules: Ok(vec![ScheduleSeen {
            name: "metering".to_owned(),
            is_enabled: true,
            patience: Duration::from_secs(900),
            last_run: Ok(Some(now)),
        }]),
        alarms: Ok(vec![AlarmSeen { name: "DeadLetters".to_owned(), state: AlarmState::Watches }]),
        permissions: Ok([
            ("registration", "ResolveCustomer"),
            ("subscription", "GetEntitlements"),
            ("metering", "BatchMeterUsage"),
        ]
        .map(|(function, action)| PermissionSeen {
            function: function.to_owned(),
            action: format!("aws-marketplace:{action}"),
            is_allowed: true,
            at: now,
        })
        .into()),
        point_in_time_recovery: Ok(true),
        audit_log: Ok(Some(LogSeen { name: "stallkeeper-staging-audit".to_owned(), kept_days: Some(400) })),
    }
}

/// No product, nothing to look at, nothing done.
fn bare(listing: &Listing, now: Timestamp) -> Facts<'_> {
    fn blind<T>() -> Look<T> {
        Err(Blind::TimedOut { what: "https://marketplace.example.com".to_owned() })
    }
    Facts {
        product: Ok(None),
        offers: Ok(Vec::new()),
        page: PageSeen { address: blind(), certificate: blind(), made_up_token: blind(), form: blind() },
        application: ApplicationSeen {
            sign_up: blind(),
            plan: blind(),
            support_page: blind(),
            support_takes_mail: blind(),
            plan_change: blind(),
            plan_change_of_nobody: blind(),
            data_policy: blind(),
        },
        stack: StackSeen {
            rules: Ok(Vec::new()),
            dead_letters: Ok(Vec::new()),
            schedules: Ok(Vec::new()),
            alarms: Ok(Vec::new()),
            permissions: Ok(Vec::new()),
            point_in_time_recovery: Ok(false),
            audit_log: Ok(None),
            ..stack(now)
        },
        evidence: Ok(BTreeMap::new()),
        ..complete(listing, now)
    }
}

/// Everything that a person can say, said at that moment.
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
    let said = Attestation { by: by.to_owned(), at, note: "Looked at it together with sales.".to_owned() };
    let of_part = |id: &str| parts.iter().any(|part| id.starts_with(part));
    let ids = CHECKS.iter().filter(|check| check.is_attestable && of_part(check.id));
    ids.map(|check| (check.id.to_owned(), said.clone())).collect()
}
