//! The stack: its connection to AWS's events, and its health.

use domain::evidence::ObservedPermission;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::facts::{AlarmState, Facts, ObservedRule, SubscriptionState};
use super::judgement::{Verdict, fail, if_observed, listed, missing, pass, unsure};
use super::pattern::matches;
use domain::listing::{Dimension, Listing};

/// The least retention of security-relevant events, in days (AWS Marketplace, SaaS product guidelines, security 10).
const YEAR_IN_DAYS: u32 = 365;

/// The time for which a refusal counts as current. The reconciliation calls AWS every hour and the other functions with
/// every purchase, so a refusal that lasts is recorded again.
const REFUSAL_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The events that the rules must match: those of purchase agreements and of licenses (AWS Marketplace Seller Guide,
/// "Amazon EventBridge events").
const EVENT_TYPES: [&str; 14] = [
    "Purchase Agreement Created - Proposer",
    "Purchase Agreement Created - Manufacturer",
    "Purchase Agreement Amended - Proposer",
    "Purchase Agreement Amended - Manufacturer",
    "Purchase Agreement Ended - Proposer",
    "Purchase Agreement Ended - Manufacturer",
    "Purchase Agreement Ending - Proposer",
    "Purchase Agreement Renewal Upcoming - Proposer",
    "Purchase Agreement Renewal Terms Finalized - Proposer",
    "Purchase Agreement Billing Adjustment Completed - Proposer",
    "Purchase Agreement Advisory Issued - Manufacturer",
    "Purchase Agreement Advisory Resolved - Manufacturer",
    "License Updated - Manufacturer",
    "License Deprovisioned - Manufacturer",
];

/// Returns the smallest event of a type: agreement events carry no product.
fn minimal_event(kind: &str) -> Value {
    json!({ "source": "aws.agreement-marketplace", "detail-type": kind, "region": "us-east-1", "detail": {} })
}

pub(super) fn eventbridge_rule(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.rules, |rules| {
        if rules.is_empty() {
            return missing("none", []);
        }
        let enabled: Vec<&ObservedRule> = rules.iter().filter(|rule| rule.is_enabled && rule.has_target).collect();
        if enabled.is_empty() {
            return fail("disabled", [("rules", listed(rules.iter().map(|rule| &rule.name)))]);
        }
        let mut unmatched = Vec::new();
        for kind in EVENT_TYPES {
            let matched: Vec<Option<bool>> =
                enabled.iter().map(|rule| matches(&rule.pattern, &minimal_event(kind))).collect();
            if matched.contains(&Some(true)) {
                continue;
            }
            if matched.contains(&None) {
                return unsure("pattern", [("rules", listed(enabled.iter().map(|rule| &rule.name)))]);
            }
            unmatched.push(kind);
        }
        if unmatched.is_empty() { pass("ok", []) } else { fail("unmatched", [("types", listed(unmatched))]) }
    })
}

pub(super) fn sns_subscription(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.subscriptions, |subscriptions| {
        let of_listing = |kind: &str| format!("aws-mp-{kind}-notification-{}", facts.listing.product_code);
        let mut wanted = vec![of_listing("subscription")];
        if facts.listing.pricing.has_entitlements() {
            wanted.push(of_listing("entitlement"));
        }
        wanted.retain(|topic| !subscriptions.iter().any(|one| one.topic == *topic));
        if !wanted.is_empty() {
            return missing("none", [("topics", listed(wanted))]);
        }
        let of_state = |state| -> Vec<&String> {
            subscriptions.iter().filter(|one| one.state == state).map(|one| &one.topic).collect()
        };
        let (deleted, waiting) = (of_state(SubscriptionState::Deleted), of_state(SubscriptionState::Pending));
        if !deleted.is_empty() {
            fail("deleted", [("topics", listed(deleted))])
        } else if !waiting.is_empty() {
            fail("unconfirmed", [("topics", listed(waiting))])
        } else {
            pass("ok", [])
        }
    })
}

pub(super) fn queues_drained(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.dead_letters, |queues| {
        if queues.is_empty() {
            return missing("none", []);
        }
        let deleted: Vec<_> = queues.iter().filter(|queue| queue.messages.is_none()).map(|queue| &queue.name).collect();
        let filled = queues.iter().filter_map(|queue| Some((&queue.name, queue.messages.filter(|count| *count > 0)?)));
        let filled: Vec<String> = filled.map(|(name, count)| format!("{name} ({count})")).collect();
        if !filled.is_empty() {
            fail("not_empty", [("queues", listed(filled))])
        } else if !deleted.is_empty() {
            fail("deleted", [("queues", listed(deleted))])
        } else {
            pass("ok", [])
        }
    })
}

pub(super) fn schedules(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.schedules, |schedules| {
        if schedules.is_empty() {
            return missing("none", []);
        }
        let disabled: Vec<_> = schedules.iter().filter(|one| !one.is_enabled).map(|one| &one.name).collect();
        if !disabled.is_empty() {
            return fail("disabled", [("schedules", listed(disabled))]);
        }
        let (mut late, mut never, mut unknown) = (Vec::new(), Vec::new(), None);
        for schedule in schedules {
            match &schedule.last_run {
                Ok(Some(at)) if facts.now.duration_since(*at).unsigned_abs() > schedule.max_interval => {
                    late.push(format!("{} ({at})", schedule.name));
                }
                Ok(Some(_)) => {}
                Ok(None) => never.push(&schedule.name),
                Err(unobserved) => unknown = unknown.or(Some(unobserved)),
            }
        }
        if !late.is_empty() {
            fail("late", [("schedules", listed(late))])
        } else if let Some(unobserved) = unknown {
            Verdict::Unobserved(unobserved.clone())
        } else if !never.is_empty() {
            missing("never", [("schedules", listed(never))])
        } else {
            pass("ok", [])
        }
    })
}

pub(super) fn alarms(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.alarms, |alarms| {
        if alarms.is_empty() {
            return missing("none", []);
        }
        for (state, attribute) in [
            (AlarmState::InAlarm, "in_alarm"),
            (AlarmState::Missing, "missing"),
            (AlarmState::ActionsDisabled, "actions_disabled"),
        ] {
            let of_state: Vec<_> = alarms.iter().filter(|one| one.state == state).map(|one| &one.name).collect();
            if !of_state.is_empty() {
                return fail(attribute, [("alarms", listed(of_state))]);
            }
        }
        pass("ok", [("count", alarms.len().to_string())])
    })
}

/// Returns the actions that a listing needs its functions to be allowed, by their IAM names.
fn needed(listing: &Listing) -> Vec<&'static str> {
    let mut needed = vec!["aws-marketplace:ResolveCustomer"];
    if listing.pricing.has_entitlements() {
        needed.push("aws-marketplace:GetEntitlements");
    }
    if listing.dimensions.iter().any(Dimension::is_metered) {
        needed.push("aws-marketplace:BatchMeterUsage");
    }
    needed
}

pub(super) fn permissions(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.permissions, |permissions| {
        let (mut refused, mut uncertain) = (Vec::new(), Vec::new());
        for refusal in permissions.iter().filter(|permission| !permission.is_allowed) {
            let ObservedPermission { function, action, at, .. } = refusal;
            // Each function has a role of its own: an action that one is allowed may be denied to another.
            let is_superseded = permissions.iter().any(|it| it.is_allowed && it.action == *action && it.at > *at);
            let is_fresh = facts.now.duration_since(*at) <= REFUSAL_LIFETIME;
            match (is_fresh, is_superseded) {
                (true, false) => refused.push(format!("{function}: {action}")),
                (true, true) | (false, false) => uncertain.push(format!("{function}: {action} ({at})")),
                (false, true) => {}
            }
        }
        let mut uncalled = needed(facts.listing);
        uncalled.retain(|needed| !permissions.iter().any(|permission| permission.action == *needed));
        if !refused.is_empty() {
            fail("refused", [("actions", listed(refused))])
        } else if !uncalled.is_empty() {
            missing("unobserved", [("actions", listed(uncalled))])
        } else if !uncertain.is_empty() {
            unsure("uncertain", [("actions", listed(uncertain))])
        } else {
            pass("ok", [])
        }
    })
}

pub(super) fn backups(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.point_in_time_recovery, |is_on| if *is_on { pass("ok", []) } else { fail("disabled", []) })
}

pub(super) fn audit_log(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.stack.audit_log, |log| match log.as_ref().map(|log| (log, log.kept_days)) {
        None => missing("none", []),
        Some((log, Some(days))) if days < YEAR_IN_DAYS => {
            fail("too_short", [("log", log.name.clone()), ("days", days.to_string())])
        }
        Some((log, _)) => pass("ok", [("log", log.name.clone())]),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::testing::{Case, table, unobserved};

    fn rule<'a>(facts: &'a mut Facts<'_>) -> &'a mut ObservedRule {
        facts.stack.rules.as_mut().unwrap().first_mut().unwrap()
    }

    #[test]
    fn the_rules_match_every_type_of_event() {
        fn only(facts: &mut Facts<'_>, pattern: Value) {
            rule(facts).pattern = pattern;
        }
        table(
            "wiring.eventbridge_rule",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| only(facts, json!({ "source": ["aws.agreement-marketplace"] }))),
                // Two rules that match all events together.
                Case::pass("ok", |facts| {
                    let mut other = rule(facts).clone();
                    rule(facts).pattern = json!({ "detail-type": [{ "prefix": "License " }] });
                    other.pattern = json!({ "detail-type": [{ "prefix": "Purchase Agreement " }] });
                    facts.stack.rules.as_mut().unwrap().push(other);
                }),
                Case::missing("none", |facts| facts.stack.rules = Ok(Vec::new())),
                Case::fail("disabled", |facts| rule(facts).is_enabled = false),
                Case::fail("disabled", |facts| rule(facts).has_target = false),
                Case::fail("unmatched", |facts| only(facts, json!({ "detail-type": [{ "prefix": "License " }] }))),
                // Agreement events carry no product: such a filter drops them.
                Case::fail("unmatched", |facts| only(facts, json!({ "detail": { "product": { "id": ["prod-1"] } } }))),
                Case::unsure("pattern", |facts| only(facts, json!({ "source": [{ "wildcard": "aws.*" }] }))),
                Case::unobserved(|facts| facts.stack.rules = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn a_listing_in_customer_mode_is_subscribed_to_its_topics() {
        table(
            "wiring.sns_subscription",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.subscriptions = Ok(Vec::new())),
                // A contract needs the entitlement topic as well, and the topics of another product do not count.
                Case::missing("none", |facts| {
                    facts.stack.subscriptions.as_mut().unwrap().pop();
                }),
                Case::missing("none", |facts| {
                    facts.stack.subscriptions.as_mut().unwrap().first_mut().unwrap().topic.push('2');
                }),
                Case::fail("unconfirmed", |facts| {
                    let first = facts.stack.subscriptions.as_mut().unwrap().first_mut().unwrap();
                    first.state = SubscriptionState::Pending;
                }),
                Case::fail("deleted", |facts| {
                    facts.stack.subscriptions.as_mut().unwrap().first_mut().unwrap().state = SubscriptionState::Deleted;
                }),
                Case::unobserved(|facts| facts.stack.subscriptions = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn dead_letter_queues_are_empty() {
        table(
            "wiring.queues_drained",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.dead_letters = Ok(Vec::new())),
                Case::fail("not_empty", |facts| {
                    facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = Some(1);
                }),
                Case::fail("deleted", |facts| {
                    facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = None;
                }),
                Case::unobserved(|facts| facts.stack.dead_letters = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn schedules_ran_on_time() {
        fn schedule<'a>(facts: &'a mut Facts<'_>) -> &'a mut crate::ObservedSchedule {
            facts.stack.schedules.as_mut().unwrap().first_mut().unwrap()
        }
        table(
            "wiring.schedules",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.schedules = Ok(Vec::new())),
                Case::fail("disabled", |facts| schedule(facts).is_enabled = false),
                Case::pass("ok", |facts| {
                    let now = facts.now;
                    schedule(facts).max_interval = Duration::from_secs(600);
                    schedule(facts).last_run = Ok(Some(now - jiff::SignedDuration::from_secs(600)));
                }),
                Case::fail("late", |facts| {
                    let now = facts.now;
                    schedule(facts).max_interval = Duration::from_secs(600);
                    schedule(facts).last_run = Ok(Some(now - jiff::SignedDuration::from_secs(601)));
                }),
                Case::missing("never", |facts| schedule(facts).last_run = Ok(None)),
                Case::unobserved(|facts| schedule(facts).last_run = Err(unobserved())),
                // A schedule that cannot be observed does not hide another one that is late.
                Case::fail("late", |facts| {
                    let mut late = schedule(facts).clone();
                    late.last_run = Ok(Some(Timestamp::UNIX_EPOCH));
                    schedule(facts).last_run = Err(unobserved());
                    facts.stack.schedules.as_mut().unwrap().push(late);
                }),
                Case::unobserved(|facts| facts.stack.schedules = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn the_functions_are_allowed_the_actions_that_the_listing_needs() {
        fn noted<'a>(facts: &'a mut Facts<'_>, action: &str) -> &'a mut ObservedPermission {
            let permissions = facts.stack.permissions.as_mut().unwrap();
            permissions.iter_mut().find(|permission| permission.action.ends_with(action)).unwrap()
        }
        fn note(facts: &mut Facts<'_>, function: &str, action: &str, is_allowed: bool, days_ago: i64) {
            let (action, at) =
                (format!("aws-marketplace:{action}"), facts.now - SignedDuration::from_hours(24 * days_ago));
            let permission = ObservedPermission { function: function.to_owned(), action, is_allowed, at };
            facts.stack.permissions.as_mut().unwrap().push(permission);
        }
        fn without(facts: &mut Facts<'_>, action: &str) {
            facts.stack.permissions.as_mut().unwrap().retain(|permission| !permission.action.ends_with(action));
        }
        table(
            "wiring.permissions",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("unobserved", |facts| facts.stack.permissions = Ok(Vec::new())),
                Case::missing("unobserved", |facts| without(facts, "ResolveCustomer")),
                Case::missing("unobserved", |facts| without(facts, "GetEntitlements")),
                Case::missing("unobserved", |facts| without(facts, "BatchMeterUsage")),
                // Any function that has read entitlements was allowed to.
                Case::pass("ok", |facts| noted(facts, "GetEntitlements").function = "reconcile".to_owned()),
                Case::fail("refused", |facts| noted(facts, "BatchMeterUsage").is_allowed = false),
                // Also for an action that the listing does not need by itself.
                Case::fail("refused", |facts| note(facts, "reconcile", "SearchAgreements", false, 7)),
                Case::unsure("uncertain", |facts| note(facts, "reconcile", "SearchAgreements", false, 8)),
                // Another function was allowed later; this one has a role of its own.
                Case::unsure("uncertain", |facts| note(facts, "reconcile", "GetEntitlements", false, 1)),
                Case::pass("ok", |facts| note(facts, "reconcile", "GetEntitlements", false, 8)),
                Case::fail("refused", |facts| note(facts, "reconcile", "GetEntitlements", false, 0)),
                Case::fail("refused", |facts| {
                    without(facts, "ResolveCustomer");
                    note(facts, "reconcile", "GetEntitlements", false, 0);
                }),
                Case::unobserved(|facts| facts.stack.permissions = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn the_needed_actions_depend_on_the_pricing() {
        let mut listing = crate::testing::listing();
        let actions = |listing: &Listing| -> Vec<&str> {
            needed(listing).into_iter().map(|action| action.split_once(':').unwrap().1).collect()
        };
        assert_eq!(actions(&listing), ["ResolveCustomer", "GetEntitlements", "BatchMeterUsage"]);
        listing.dimensions.retain(|dimension| !dimension.is_metered());
        assert_eq!(actions(&listing), ["ResolveCustomer", "GetEntitlements"]);
        let mut listing = crate::testing::listing();
        listing.dimensions.retain(Dimension::is_metered);
        listing.pricing = domain::listing::Pricing::Subscription;
        assert_eq!(actions(&listing), ["ResolveCustomer", "BatchMeterUsage"]);
    }

    #[test]
    fn the_stack_has_alarms_backups_and_an_audit_log() {
        fn alarm(facts: &mut Facts<'_>, state: AlarmState) {
            facts.stack.alarms.as_mut().unwrap().first_mut().unwrap().state = state;
        }
        table(
            "wiring.alarms",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.alarms = Ok(Vec::new())),
                Case::fail("in_alarm", |facts| alarm(facts, AlarmState::InAlarm)),
                Case::fail("missing", |facts| alarm(facts, AlarmState::Missing)),
                Case::fail("actions_disabled", |facts| alarm(facts, AlarmState::ActionsDisabled)),
                Case::unobserved(|facts| facts.stack.alarms = Err(unobserved())),
            ],
        );
        table(
            "wiring.backups",
            &[
                Case::pass("ok", |_| {}),
                Case::fail("disabled", |facts| facts.stack.point_in_time_recovery = Ok(false)),
                Case::unobserved(|facts| facts.stack.point_in_time_recovery = Err(unobserved())),
            ],
        );
        fn kept(facts: &mut Facts<'_>, days: Option<u32>) {
            facts.stack.audit_log.as_mut().unwrap().as_mut().unwrap().kept_days = days;
        }
        table(
            "wiring.audit_log",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| kept(facts, None)),
                Case::pass("ok", |facts| kept(facts, Some(365))),
                Case::fail("too_short", |facts| kept(facts, Some(364))),
                Case::missing("none", |facts| facts.stack.audit_log = Ok(None)),
                Case::unobserved(|facts| facts.stack.audit_log = Err(unobserved())),
            ],
        );
    }
}
