use super::*;

fn sample(name: &str) -> String {
    let path = format!("{}/../../events/subscription/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let batch: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    batch["Records"][0]["body"].as_str().unwrap().to_owned()
}

fn license_update(name: &str) -> (LicenseUpdate, bool) {
    match read(&sample(name)).unwrap() {
        Message::License { update, entitlements } => (update, entitlements),
        other => panic!("{name} was read as {other:?}"),
    }
}

fn agreement_event(name: &str) -> AgreementEvent {
    match read(&sample(name)).unwrap() {
        Message::Agreement { event, amends } => {
            assert_eq!(amends, name.contains("amended"), "{name}");
            event
        }
        other => panic!("{name} was read as {other:?}"),
    }
}

#[test]
fn license_events_name_license_product_account_and_agreement() {
    let (update, entitlements) = license_update("license-updated");
    assert_eq!(update.license.as_str(), "l-0123456789abcdef0123456789abcdef");
    assert_eq!(update.product.as_str(), "4democontract0000000000ab");
    assert_eq!(update.account.unwrap().as_str(), "111122223333");
    assert!(entitlements);
    let Some(LicenseEvent::Updated(agreement_ref)) = update.event else { panic!("not an update") };
    assert_eq!(agreement_ref.agreement.as_str(), "agmt-5f0example1");
    assert_eq!(agreement_ref.stamp.at.to_string(), "2026-08-20T12:00:00Z");

    let (update, entitlements) = license_update("license-deprovisioned");
    assert!(matches!(update.event, Some(LicenseEvent::Deprovisioned(_))));
    assert!(!entitlements);
}

#[test]
fn both_forms_of_the_arn_are_the_same_license() {
    let (documented, _) = license_update("license-updated-documented-arn");
    let (real, _) = license_update("license-updated");
    assert_eq!(documented.license, real.license);
    assert!(!documented.arn.unwrap().is_sendable());
    assert!(real.arn.unwrap().is_sendable());
}

#[test]
fn agreement_events_leave_a_status() {
    let cases = [
        ("agreement-created", AgreementStatus::Active, None),
        ("agreement-created-reseller", AgreementStatus::Active, None),
        ("agreement-amended", AgreementStatus::Active, None),
        ("agreement-created-renewal", AgreementStatus::Active, Some("agmt-5f0example1")),
        ("agreement-created-replacement", AgreementStatus::Active, Some("agmt-5f0example1")),
        ("agreement-ended", AgreementStatus::Cancelled, None),
    ];
    for (name, status, previous) in cases {
        let event = agreement_event(name);
        assert_eq!(event.status, status, "{name}");
        assert_eq!(event.previous.as_ref().map(AgreementId::as_str), previous, "{name}");
    }
}

#[test]
fn an_end_without_a_status_or_with_a_new_one_is_an_end() {
    for status in ["", r#","status":"ACTIVE""#, r#","status":"VANISHED""#] {
        let body = format!(
            r#"{{"id":"e","source":"aws.agreement-marketplace","detail-type":"Purchase Agreement Ended - Proposer",
            "time":"2026-08-20T12:00:00Z","detail":{{"agreement":{{"id":"agmt-1"{status}}}}}}}"#
        );
        let Message::Agreement { event, .. } = read(&body).unwrap() else { panic!("no agreement event") };
        assert!(event.status.end_reason().is_some(), "{status}");
    }
}

#[test]
fn notices_are_not_taken_for_what_they_announce() {
    assert!(matches!(read(&sample("agreement-ending-notice")).unwrap(), Message::Other(_)));
}

#[test]
fn an_advisory_is_of_an_agreement_and_of_its_own_time() {
    let advisory = |body: &str| match read(body).unwrap() {
        Message::Advisory(agreement, advisory) => (agreement.to_string(), advisory),
        other => panic!("an advisory was read as {other:?}"),
    };
    let issued_at = "2026-08-20T12:00:00Z".parse().ok();
    let resolved_at = "2026-08-20T18:00:00Z".parse().ok();
    let issued = ("agmt-5f0example1".to_owned(), Advisory { issued_at, resolved_at: None });
    let resolved = ("agmt-5f0example1".to_owned(), Advisory { issued_at: None, resolved_at });
    assert_eq!(advisory(&sample("agreement-advisory")), issued);
    assert_eq!(advisory(&sample("agreement-advisory-resolved")), resolved);
    // Without a time of its own, the advisory gets the time of the event.
    let bare = sample("agreement-advisory").replace(r#""advisory":{"issuedAt":"2026-08-20T12:00:00Z"},"#, "");
    assert_eq!(advisory(&bare), issued);
}

#[test]
fn an_event_of_another_source_is_none_of_ours() {
    let body = sample("license-updated").replace("aws.agreement-marketplace", "aws.agreement-marketplace.fake");
    assert!(matches!(read(&body).unwrap(), Message::Other(_)));
}

#[test]
fn notifications_are_read_with_and_without_blanks() {
    for name in ["subscribe-success", "subscribe-success-with-blanks"] {
        let (update, entitlements) = license_update(name);
        assert_eq!(update.license.as_str(), "7demolegacy00000000000ab~X01EXAMPLEX", "{name}");
        assert!(matches!(update.event, Some(LicenseEvent::Subscribed { free_trial: true, .. })), "{name}");
        assert!(entitlements);
    }
    assert!(matches!(license_update("subscribe-fail").0.event, Some(LicenseEvent::SubscribeFailed(_))));
    assert!(matches!(license_update("unsubscribe-pending").0.event, Some(LicenseEvent::Unsubscribing(_))));
    assert!(matches!(license_update("unsubscribe-success").0.event, Some(LicenseEvent::Unsubscribed(_))));
    let (update, entitlements) = license_update("entitlement-updated");
    assert!(update.event.is_none() && entitlements);
}

#[test]
fn what_cannot_be_read_says_where() {
    assert!(matches!(read(&sample("not-json")), Err(Unreadable::NotJson)));
    assert!(matches!(read(&sample("no-envelope")), Err(Unreadable::NoEnvelope)));
    let error = read(&sample("bad-license-arn")).unwrap_err();
    assert!(error.to_string().starts_with("detail: a license ARN must be"), "{error}");
    let error = read(&sample("license-updated").replace("111122223333", "1111")).unwrap_err();
    assert!(error.to_string().contains("12 digits"), "{error}");
}
