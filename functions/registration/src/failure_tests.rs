use super::*;
use crate::{finished, text_for_tests};

fn every_failure() -> Vec<(Failure, &'static str, u16)> {
    let product = || "demo".parse::<ProductCode>().unwrap();
    let refused = || MarketplaceError::Refused { code: "AccessDeniedException".to_owned() };
    vec![
        (Failure::TokenMissing, "token_missing", 400),
        (Failure::TokenInvalid, "token_invalid", 400),
        (Failure::TokenExpired, "token_expired", 410),
        (Failure::ProductUnknown(product()), "product_unknown", 404),
        (Failure::PurchaseIncomplete(product()), "purchase_incomplete", 502),
        (Failure::AwsUnavailable(MarketplaceError::Throttled), "aws_unavailable", 503),
        (Failure::Misconfigured(refused()), "misconfigured", 503),
        (Failure::SessionMissing, "session_missing", 400),
        (Failure::FormStale, "form_stale", 409),
        (Failure::CrossSite, "cross_site", 403),
        (BodyError::TooLarge.into(), "body_too_large", 413),
        (BodyError::NotText.into(), "body_unreadable", 400),
        (InvalidEvent::BodyNotBase64.into(), "body_unreadable", 400),
        (Failure::FieldUnreadable("account"), "body_unreadable", 400),
        (StoreError::BadCursor.into(), "unavailable", 503),
        (NoRandomness.into(), "unavailable", 503),
        (Failure::RouteUnknown, "route_unknown", 404),
        (InvalidEvent::PathNotNormal.into(), "route_unknown", 404),
        (InvalidEvent::UrlInvalid.into(), "route_unknown", 404),
        (Failure::MethodNotAllowed, "method_not_allowed", 405),
    ]
}

/// Answers a failure as the routes do.
fn answer(failed: Failed, language: Language, prefers_json: bool) -> Response {
    finished(failed.into_response(), Preferences { language, prefers_json })
}

#[test]
fn each_way_to_go_wrong_has_its_code_its_status_and_a_page_in_both_languages() {
    let mut codes = Vec::new();
    for (failure, code, status) in every_failure() {
        codes.push(code);
        let why = Box::new(failure);
        let waits = why.retry_after().is_some();
        let mut failed = Failed { why, listing: None };
        for &language in Language::ALL {
            let answer = answer(failed, language, false);
            assert_eq!(answer.status(), status, "{code}");
            assert_eq!(answer.headers()[CODE], code);
            assert_eq!(answer.headers().contains_key(header::RETRY_AFTER), waits);
            let page = text_for_tests(answer);
            assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
            assert!(page.contains(&format!("<code>{code}</code>")));
            for &language in Language::ALL {
                assert!(page.contains(&texts(language).say("support-of-seller")), "{code} names no support");
            }
            failed = Failed::from(every_failure().into_iter().find(|(_, of, _)| *of == code).unwrap().0);
        }
    }
    codes.dedup();
    assert_eq!(codes, Failure::CODES);
}

#[test]
fn what_an_aws_that_is_down_answers_can_be_tried_again() {
    for (failure, code, status) in every_failure() {
        assert_eq!(failure.retry_after().is_some(), status == 503, "{code}");
    }
}

#[test]
fn programs_are_answered_a_problem_document() {
    let listing = Listing::parse(include_str!("../../../listings/demo-contract.toml")).unwrap();
    let answer = answer(Failed::of(&listing, Failure::FormStale), Language::English, true);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.headers()[CODE], "form_stale");
    let document: serde_json::Value = serde_json::from_str(&text_for_tests(answer)).unwrap();
    assert_eq!(document["code"], "form_stale");
    assert_eq!(document["status"], 409);
    assert_eq!(document["title"], "Another registration was opened in this browser");
    assert!(document["action"].as_str().unwrap().ends_with("support@example.com"), "{document}");
}

#[test]
fn a_token_that_aws_finds_malformed_is_the_buyers_matter_and_not_the_operators() {
    let refused = |code: &str| {
        let refused = MarketplaceError::Refused { code: code.to_owned() };
        Failure::from(ResolveError::Marketplace(refused)).kind().0
    };
    assert_eq!(refused("ValidationException"), "token_invalid");
    assert_eq!(refused("InvalidParameterException"), "token_invalid");
    assert_eq!(refused("AccessDeniedException"), "misconfigured");
    assert_eq!(refused("DisabledApiException"), "misconfigured");
}

#[test]
fn the_log_stops_before_the_message_of_a_service() {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    let message = Said("the token tok-123 is malformed", None);
    let unhandled = Said("unhandled error (OddException)", Some(Box::new(message)));
    let service = Said("service error", Some(Box::new(unhandled)));
    let failure = Failure::AwsUnavailable(MarketplaceError::Unavailable(Box::new(service)));
    assert_eq!(
        causes(&failure),
        "AWS Marketplace did not resolve the token: AWS Marketplace did not answer: service error: unhandled error \
         (OddException)"
    );
}
