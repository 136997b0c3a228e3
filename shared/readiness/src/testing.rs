//! Shared parts of the auditor's tests: a listing that is ready, one for which nothing exists, and tables of cases.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::json;

use super::facts::{
    AlarmState, Answer, Facts, ObservedAlarm, ObservedApplication, ObservedCertificate, ObservedLog, ObservedPage,
    ObservedQueue, ObservedReview, ObservedRule, ObservedSchedule, ObservedStack, ObservedSubscription,
    SubscriptionState, Unobserved,
};
use super::judgement::Verdict;
use super::report::Message;
use super::{Attestation, CHECKS, check, texts};
use domain::catalog::{
    DeliveryOptionAtAws, DimensionAtAws, EulaAtAws, OfferAtAws, PriceAtAws, ProductAtAws, PublicRequest, Visibility,
};
use domain::evidence::{Evidence, EvidenceKind, ObservedPermission};
use domain::language::Language;
use domain::listing::Listing;

/// Returns a contract with consumption, in the test phase.
pub(super) fn listing() -> Listing {
    Listing::parse(
        r#"
        name = "Example"
        stage = "staging"
        product_code = "exampleproductcode"
        product_id = "prod-example0001"
        mode = "license"
        pricing = "contract-with-consumption"
        dimensions = [
            { key = "seats", name = "Seats", types = ["Entitled"] },
            { key = "events", name = "Events", types = ["ExternallyMetered"] },
        ]
        urls = { sign_up = "https://app.example.com/sign-up", sign_in = "https://app.example.com/sign-in" }
        support = { email = "support@example.com", url = "https://www.example.com/support" }
        "#,
    )
    .unwrap()
}

fn answer(status: u16, body: &str) -> Answer {
    let headers = [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
    ];
    Answer {
        status,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: body.to_owned(),
        elapsed: Duration::from_millis(120),
    }
}

/// Returns facts that are all as they must be, as far as a program can observe them.
pub(super) fn complete(listing: &Listing) -> Facts<'_> {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let evidence = EvidenceKind::ALL.map(|kind| (kind, Evidence { first: now, last: now }));
    let dimensions = listing.dimensions.iter();
    let account = |number: u8| format!("11112222333{number}").parse().unwrap();
    Facts {
        listing,
        now,
        product: Ok(Some(ProductAtAws {
            id: listing.product_id.clone(),
            visibility: Visibility::Limited,
            product_code: Some(listing.product_code.to_string()),
            title: listing.name.clone(),
            short_description: "What it is.".to_owned(),
            long_description: "What it is, at length.".to_owned(),
            highlights: vec!["Fast".to_owned()],
            search_keywords: vec!["example".to_owned()],
            categories: vec!["Monitoring".to_owned()],
            logo_url: "https://s3.amazonaws.com/example/logo.png".to_owned(),
            support: "Write to support.".to_owned(),
            dimensions: dimensions
                .clone()
                .map(|dimension| DimensionAtAws {
                    key: dimension.key.to_string(),
                    name: dimension.name.clone(),
                    description: dimension.name.clone(),
                    unit: "Units".to_owned(),
                    types: dimension.types.clone(),
                })
                .collect(),
            delivery_options: vec![DeliveryOptionAtAws {
                id: "do-example".to_owned(),
                fulfillment_url: "https://marketplace.example.com/register".to_owned(),
            }],
            buyer_accounts: (0..5).map(account).collect(),
        })),
        offers: Ok(vec![OfferAtAws {
            id: "offer-example".to_owned(),
            name: listing.name.clone(),
            description: "The public offer.".to_owned(),
            is_released: true,
            is_for_everyone: true,
            available_until: None,
            eula: Some(EulaAtAws::Standard),
            refund_policy: "Within 30 days.".to_owned(),
            prices: dimensions
                .map(|dimension| PriceAtAws {
                    dimension: dimension.key.to_string(),
                    months: dimension.is_entitled().then_some(12),
                    currency: "USD".to_owned(),
                    amount: Decimal::new(1, 2),
                })
                .collect(),
            pricing_terms: Vec::new(),
        }]),
        review: Ok(ObservedReview { public_request: Some(PublicRequest { at: now, refused: None }) }),
        page: ObservedPage {
            address: Ok("https://marketplace.example.com/register".parse().unwrap()),
            certificate: Ok(ObservedCertificate::Until(now + SignedDuration::from_hours(60 * 24))),
            invalid_token: Ok(answer(
                400,
                "<html lang=\"en\">Go back to AWS Marketplace and choose Set up your account. support@example.com</html>",
            )),
            form: Ok(answer(
                200,
                "<!doctype html><html lang=\"en\"><form><input name=\"email\" type=\"email\"></form>\
                 <a href=\"/in\">I have an account: sign in</a> support@example.com</html>",
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
        stack: ObservedStack {
            rules: Ok(vec![ObservedRule {
                name: "stallkeeper-staging-marketplace-events".to_owned(),
                is_enabled: true,
                pattern: json!({
                    "source": ["aws.agreement-marketplace"],
                    "detail-type": [{ "prefix": "Purchase Agreement " }, { "prefix": "License " }],
                }),
                has_target: true,
            }]),
            subscriptions: Ok(["subscription", "entitlement"]
                .map(|kind| ObservedSubscription {
                    topic: format!("aws-mp-{kind}-notification-exampleproductcode"),
                    state: SubscriptionState::Confirmed,
                })
                .into()),
            dead_letters: Ok(vec![ObservedQueue { name: "news-dead".to_owned(), messages: Some(0) }]),
            schedules: Ok(vec![ObservedSchedule {
                name: "metering".to_owned(),
                is_enabled: true,
                max_interval: Duration::from_secs(24 * 3600),
                last_run: Ok(Some(now)),
            }]),
            alarms: Ok(vec![ObservedAlarm { name: "dead-letters".to_owned(), state: AlarmState::Active }]),
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
        },
        evidence: Ok(evidence.into()),
    }
}

/// Returns the facts of a described listing and nothing else: no product, no stack to check, no evidence.
pub(super) fn nothing(listing: &Listing) -> Facts<'_> {
    let mut facts = complete(listing);
    facts.product = Ok(None);
    facts.offers = Ok(Vec::new());
    facts.review = Ok(ObservedReview { public_request: None });
    facts.page = ObservedPage::unobserved(&unobserved());
    facts.application = ObservedApplication::unobserved(&unobserved());
    facts.stack = ObservedStack::absent();
    facts.evidence = Ok(BTreeMap::new());
    facts
}

/// Returns an attestation of every attestable check, made at `at`.
pub(super) fn attested(at: Timestamp) -> BTreeMap<String, Attestation> {
    let by = "arn:aws:iam::444455556666:user/me".to_owned();
    let attestation = Attestation { by, at, note: "Checked.".to_owned() };
    CHECKS.iter().filter(|check| check.is_attestable).map(|check| (check.id.to_owned(), attestation.clone())).collect()
}

/// Returns a reason why something could not be observed.
pub(super) fn unobserved() -> Unobserved {
    Unobserved::TimedOut { source: "https://www.example.com".to_owned() }
}

/// A change of complete facts, and the verdict that follows.
pub(super) struct Case {
    change: fn(&mut Facts<'_>),
    wanted: String,
}

impl Case {
    fn new(change: fn(&mut Facts<'_>), wanted: impl Into<String>) -> Self {
        Self { change, wanted: wanted.into() }
    }

    pub(super) fn pass(attribute: &'static str, change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, format!("pass {attribute}"))
    }

    pub(super) fn pass_any(change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, "pass")
    }

    pub(super) fn missing(attribute: &'static str, change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, format!("missing {attribute}"))
    }

    pub(super) fn fail(attribute: &'static str, change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, format!("fail {attribute}"))
    }

    pub(super) fn unsure(attribute: &'static str, change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, format!("unsure {attribute}"))
    }

    pub(super) fn unobserved(change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, "unobserved")
    }

    pub(super) fn attestation_only(change: fn(&mut Facts<'_>)) -> Self {
        Self::new(change, "attestation only")
    }
}

/// Judges each case by the check `id`, and reads its message in both languages.
pub(super) fn table(id: &str, cases: &[Case]) {
    let listing = listing();
    let check = check(id).unwrap();
    for (number, case) in cases.iter().enumerate() {
        let mut facts = complete(&listing);
        (case.change)(&mut facts);
        let (kind, detail) = match check.judge(&facts) {
            Verdict::Pass(detail) => ("pass", Some(detail)),
            Verdict::Missing(detail) => ("missing", Some(detail)),
            Verdict::Fail(detail) => ("fail", Some(detail)),
            Verdict::NotYet(detail) => ("not yet", Some(detail)),
            Verdict::Unsure(detail) => ("unsure", Some(detail)),
            Verdict::Unobserved(_) => ("unobserved", None),
            Verdict::AttestationOnly => ("attestation only", None),
        };
        let got = detail.as_ref().map_or(kind.to_owned(), |detail| format!("{kind} {}", detail.attribute));
        let is_wanted = got == case.wanted || kind == case.wanted;
        assert!(is_wanted, "{id}, case {number}: {got}, not {}", case.wanted);
        let Some(detail) = detail else { continue };
        let message = Message::of(check, detail);
        for &language in Language::ALL {
            let sentence = message.in_language(texts(language));
            assert_ne!(sentence, message.id, "no text in {language:?}");
            assert!(!sentence.contains("{$") && !sentence.contains("term-"), "{id}: {sentence}");
        }
    }
}
