//! The seller's application, as a buyer sees it.

use domain::evidence::EvidenceKind;
use jiff::SignedDuration;

use super::facts::{Answer, Facts, Unobserved};
use super::judgement::{Verdict, fail, if_observed, missing, pass, unsure};
use super::{evidence, page};

/// The longest time since the application last asked for a tenant's entitlements, for its plan page to count.
const READ_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn self_signup(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.application.sign_up, |answer| {
        if answer.leaves_the_site() {
            // The redirect may lead to an identity provider, which the auditor does not visit.
            return unsure("elsewhere", []);
        }
        if is_closed(answer) {
            return unsure("closed", [("status", answer.status.to_string())]);
        }
        if !answer.is_ok() {
            return fail("broken", [("status", answer.status.to_string())]);
        }
        let is_provider =
            |to: String| ["continue with", "sign up with", "sign in with"].iter().any(|words| to.contains(words));
        let has_entry = page::asks_for_email(&answer.body) || page::links_and_buttons(&answer.body).any(is_provider);
        if has_entry { pass("ok", []) } else { unsure("no_entry", []) }
    })
}

pub(super) fn plan_visible(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.application.plan, |answer| {
        if answer.leaves_the_site() {
            return unsure("elsewhere", []);
        }
        if is_closed(answer) {
            return unsure("closed", [("status", answer.status.to_string())]);
        }
        if !answer.is_ok() {
            return fail("broken", [("status", answer.status.to_string())]);
        }
        if_observed(&facts.evidence, |evidence| match evidence::last(evidence, EvidenceKind::EntitlementAsked) {
            Some(at) if facts.now.duration_since(at) <= READ_WITHIN => pass("ok", [("at", at.to_string())]),
            Some(at) => missing("long_ago", [("at", at.to_string())]),
            None => missing("never_read", []),
        })
    })
}

/// Returns `true` if the auditor is denied a page. The page may exist for others, because a firewall denies every
/// caller.
fn is_closed(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403)
}

pub(super) fn support_reachable(facts: &Facts<'_>) -> Verdict {
    let application = &facts.application;
    match (&application.support_page, &application.support_accepts_mail) {
        (Ok(answer), _) if answer.is_ok() => pass("page", []),
        (_, Ok(true)) => pass("mail", []),
        (Ok(answer), _) if answer.leaves_the_site() => unsure("elsewhere", []),
        (Ok(answer), _) if is_closed(answer) => unsure("closed", [("status", answer.status.to_string())]),
        (Ok(answer), Ok(false)) => fail("broken", [("status", answer.status.to_string())]),
        (Err(Unobserved::NotDescribed { .. }), Ok(false)) => {
            fail("no_mail", [("address", facts.listing.support.email.clone())])
        }
        (_, Err(unobserved)) | (Err(unobserved), Ok(false)) => Verdict::Unobserved(unobserved.clone()),
    }
}

pub(super) fn existing_account(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.evidence, |evidence| {
        let linked = evidence::last(evidence, EvidenceKind::ExistingAccountLinked);
        match (linked, evidence::last(evidence, EvidenceKind::SecondClaimRefused)) {
            (Some(at), Some(_)) => pass("ok", [("at", at.to_string())]),
            (None, _) => missing("none_linked", []),
            (Some(_), None) => missing("none_refused", []),
        }
    })
}

pub(super) fn plan_locked(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.application.plan_change, |answer| {
        let status = answer.status.to_string();
        match answer.status {
            403 | 409 => {
                if_observed(&facts.application.plan_change_of_unknown_tenant, |of_unknown| match of_unknown.status {
                    404 => pass("ok", [("status", status)]),
                    // An origin check or a firewall that refuses every request has not checked the tenant.
                    403 | 409 => unsure("refuses_all", [("status", status)]),
                    other => unsure("refuses_differently", [("status", status), ("other", other.to_string())]),
                })
            }
            200..=299 => fail("accepted", [("status", status)]),
            _ => unsure("unexpected", [("status", status)]),
        }
    })
}

pub(super) fn data_policy(facts: &Facts<'_>) -> Verdict {
    if matches!(facts.application.data_policy, Err(Unobserved::NotDescribed { .. })) {
        // No attestation replaces a page: without a URL, buyers cannot be referred to it.
        return missing("none", []);
    }
    if_observed(&facts.application.data_policy, |answer| {
        if answer.is_ok() {
            // The page exists, but that does not prove that it covers deletion and incidents.
            unsure("answers", [])
        } else if answer.leaves_the_site() {
            unsure("elsewhere", [])
        } else if is_closed(answer) {
            unsure("closed", [("status", answer.status.to_string())])
        } else {
            fail("broken", [("status", answer.status.to_string())])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Case, table, unobserved};
    use domain::evidence::Evidence;

    #[test]
    fn a_buyer_can_sign_up_without_help() {
        fn answer<'a>(facts: &'a mut Facts<'_>) -> &'a mut Answer {
            facts.application.sign_up.as_mut().unwrap()
        }
        table(
            "app.self_signup",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| answer(facts).body = "<button>Continue with Example ID</button>".to_owned()),
                Case::unsure("no_entry", |facts| {
                    answer(facts).body = "Coming soon <form><input name=q><button>Search</button></form>".to_owned();
                }),
                Case::unsure("no_entry", |facts| {
                    let text = "<p>By invitation. To continue with your order, call us.</p>";
                    answer(facts).body = format!("{text}<input type=\"hidden\" name=\"email\"><a href=\"/\">Home</a>");
                }),
                Case::unsure("elsewhere", |facts| answer(facts).status = 302),
                Case::unsure("closed", |facts| answer(facts).status = 403),
                Case::fail("broken", |facts| answer(facts).status = 404),
                Case::unobserved(|facts| facts.application.sign_up = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn the_plan_page_counts_if_the_application_reads_entitlements() {
        fn asked(facts: &mut Facts<'_>, days: i64) {
            let at = facts.now - SignedDuration::from_hours(24 * days);
            let evidence = facts.evidence.as_mut().unwrap();
            evidence.insert(EvidenceKind::EntitlementAsked, Evidence { first: at, last: at });
        }
        table(
            "app.plan_visible",
            &[
                Case::pass("ok", |_| {}),
                Case::unsure("closed", |facts| facts.application.plan.as_mut().unwrap().status = 401),
                Case::unsure("closed", |facts| facts.application.plan.as_mut().unwrap().status = 403),
                Case::unsure("elsewhere", |facts| facts.application.plan.as_mut().unwrap().status = 302),
                Case::pass("ok", |facts| asked(facts, 30)),
                Case::missing("long_ago", |facts| asked(facts, 31)),
                Case::missing("never_read", |facts| {
                    facts.evidence.as_mut().unwrap().remove(&EvidenceKind::EntitlementAsked);
                }),
                Case::fail("broken", |facts| facts.application.plan.as_mut().unwrap().status = 500),
                Case::unobserved(|facts| facts.application.plan = Err(unobserved())),
                Case::unobserved(|facts| facts.evidence = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn support_is_reached_by_a_page_or_by_mail() {
        table(
            "app.support_reachable",
            &[
                Case::pass("page", |_| {}),
                Case::pass("mail", |facts| facts.application.support_page = Err(unobserved())),
                Case::pass("mail", |facts| facts.application.support_page.as_mut().unwrap().status = 500),
                Case::fail("broken", |facts| {
                    facts.application.support_page.as_mut().unwrap().status = 500;
                    facts.application.support_accepts_mail = Ok(false);
                }),
                Case::fail("no_mail", |facts| {
                    facts.application.support_page = Err(Unobserved::NotDescribed { field: "support.url".to_owned() });
                    facts.application.support_accepts_mail = Ok(false);
                }),
                Case::unsure("elsewhere", |facts| {
                    facts.application.support_page.as_mut().unwrap().status = 301;
                    facts.application.support_accepts_mail = Ok(false);
                }),
                Case::pass("mail", |facts| facts.application.support_page.as_mut().unwrap().status = 403),
                Case::unsure("closed", |facts| {
                    facts.application.support_page.as_mut().unwrap().status = 403;
                    facts.application.support_accepts_mail = Ok(false);
                }),
                Case::unsure("closed", |facts| {
                    facts.application.support_page.as_mut().unwrap().status = 401;
                    facts.application.support_accepts_mail = Err(unobserved());
                }),
                // A page that could not be checked may be in order.
                Case::unobserved(|facts| {
                    facts.application.support_page = Err(unobserved());
                    facts.application.support_accepts_mail = Ok(false);
                }),
                Case::unobserved(|facts| {
                    facts.application.support_page.as_mut().unwrap().status = 500;
                    facts.application.support_accepts_mail = Err(unobserved());
                }),
                Case::unobserved(|facts| {
                    facts.application.support_page = Err(unobserved());
                    facts.application.support_accepts_mail = Err(unobserved());
                }),
            ],
        );
    }

    #[test]
    fn an_existing_account_is_linked_and_a_second_claim_is_refused() {
        fn without(facts: &mut Facts<'_>, kind: EvidenceKind) {
            facts.evidence.as_mut().unwrap().remove(&kind);
        }
        table(
            "app.existing_account",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none_linked", |facts| without(facts, EvidenceKind::ExistingAccountLinked)),
                Case::missing("none_refused", |facts| without(facts, EvidenceKind::SecondClaimRefused)),
                Case::unobserved(|facts| facts.evidence = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn a_plan_from_aws_marketplace_cannot_be_changed_inside_the_application() {
        fn status(facts: &mut Facts<'_>, status: u16) {
            facts.application.plan_change.as_mut().unwrap().status = status;
        }
        fn of_unknown(facts: &mut Facts<'_>, status: u16) {
            facts.application.plan_change_of_unknown_tenant.as_mut().unwrap().status = status;
        }
        table(
            "app.plan_locked",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| status(facts, 409)),
                Case::fail("accepted", |facts| status(facts, 200)),
                Case::unsure("unexpected", |facts| status(facts, 302)),
                Case::unsure("unexpected", |facts| status(facts, 404)),
                Case::unsure("unexpected", |facts| status(facts, 500)),
                // A refusal proves something only if not every request is refused.
                Case::unsure("refuses_all", |facts| of_unknown(facts, 403)),
                Case::unsure("refuses_all", |facts| of_unknown(facts, 409)),
                Case::unsure("refuses_differently", |facts| of_unknown(facts, 204)),
                Case::unsure("refuses_differently", |facts| of_unknown(facts, 302)),
                Case::unsure("refuses_differently", |facts| of_unknown(facts, 503)),
                Case::fail("accepted", |facts| {
                    status(facts, 204);
                    of_unknown(facts, 204);
                }),
                Case::unobserved(|facts| facts.application.plan_change = Err(unobserved())),
                Case::unobserved(|facts| facts.application.plan_change_of_unknown_tenant = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn a_data_policy_must_exist_and_its_content_is_attested() {
        table(
            "app.data_policy",
            &[
                Case::unsure("answers", |_| {}),
                Case::unsure("elsewhere", |facts| facts.application.data_policy.as_mut().unwrap().status = 301),
                Case::unsure("closed", |facts| facts.application.data_policy.as_mut().unwrap().status = 403),
                Case::fail("broken", |facts| facts.application.data_policy.as_mut().unwrap().status = 404),
                Case::missing("none", |facts| {
                    facts.application.data_policy =
                        Err(Unobserved::NotDescribed { field: "urls.data_policy".to_owned() });
                }),
                Case::unobserved(|facts| facts.application.data_policy = Err(unobserved())),
            ],
        );
        table("app.no_payment_data", &[Case::attestation_only(|_| {})]);
    }
}
