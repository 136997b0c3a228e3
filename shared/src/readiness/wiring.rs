//! The stack: whether AWS's news reaches it, and whether it works.

use serde_json::{Value, json};

use super::facts::{Facts, RuleSeen};
use super::judgement::{Verdict, fail, listed, missing, of, pass, unsure};
use super::pattern::matches;

/// For how long security-relevant events must be kept (AWS Marketplace, SaaS product guidelines, security 10).
const YEAR_IN_DAYS: u32 = 365;

/// What must come through: the news of purchase agreements and of licenses (AWS Marketplace Seller Guide, "Amazon
/// EventBridge events").
const NEWS: [&str; 14] = [
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

/// The event of that kind with the least in it: agreement events carry no product (`aws-marketplace.md` 5.2).
fn news(kind: &str) -> Value {
    json!({ "source": "aws.agreement-marketplace", "detail-type": kind, "region": "us-east-1", "detail": {} })
}

pub(super) fn eventbridge_rule(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.rules, |rules| {
        if rules.is_empty() {
            return missing("none", []);
        }
        let live: Vec<&RuleSeen> = rules.iter().filter(|rule| rule.is_enabled && rule.has_target).collect();
        if live.is_empty() {
            return fail("off", [("rules", listed(rules.iter().map(|rule| &rule.name)))]);
        }
        let mut unheard = Vec::new();
        for kind in NEWS {
            let heard: Vec<Option<bool>> = live.iter().map(|rule| matches(&rule.pattern, &news(kind))).collect();
            if heard.contains(&Some(true)) {
                continue;
            }
            if heard.contains(&None) {
                return unsure("pattern", [("rules", listed(live.iter().map(|rule| &rule.name)))]);
            }
            unheard.push(kind);
        }
        if unheard.is_empty() { pass("ok", []) } else { fail("unheard", [("kinds", listed(unheard))]) }
    })
}

pub(super) fn sns_subscription(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.subscriptions, |subscriptions| {
        let of_listing = |kind: &str| format!("aws-mp-{kind}-notification-{}", facts.listing.product_code);
        let mut wanted = vec![of_listing("subscription")];
        if facts.listing.pricing.has_entitlements() {
            wanted.push(of_listing("entitlement"));
        }
        wanted.retain(|topic| !subscriptions.iter().any(|one| one.topic == *topic));
        if !wanted.is_empty() {
            return missing("none", [("topics", listed(wanted))]);
        }
        let waiting: Vec<_> = subscriptions.iter().filter(|one| !one.is_confirmed).map(|one| &one.topic).collect();
        if waiting.is_empty() { pass("ok", []) } else { fail("unconfirmed", [("topics", listed(waiting))]) }
    })
}

pub(super) fn queues_drained(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.dead_letters, |queues| {
        if queues.is_empty() {
            return missing("none", []);
        }
        let full = queues.iter().filter(|queue| queue.messages > 0);
        let full: Vec<String> = full.map(|queue| format!("{} ({})", queue.name, queue.messages)).collect();
        if full.is_empty() { pass("ok", []) } else { fail("full", [("queues", listed(full))]) }
    })
}

pub(super) fn schedules(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.schedules, |schedules| {
        if schedules.is_empty() {
            return missing("none", []);
        }
        let off: Vec<_> = schedules.iter().filter(|one| !one.is_enabled).map(|one| &one.name).collect();
        if !off.is_empty() {
            return fail("off", [("schedules", listed(off))]);
        }
        let (mut late, mut never, mut unseen) = (Vec::new(), Vec::new(), None);
        for schedule in schedules {
            match &schedule.last_run {
                Ok(Some(at)) if facts.now.duration_since(*at).unsigned_abs() > schedule.patience => {
                    late.push(format!("{} ({at})", schedule.name));
                }
                Ok(Some(_)) => {}
                Ok(None) => never.push(&schedule.name),
                Err(blind) => unseen = unseen.or(Some(blind)),
            }
        }
        if !late.is_empty() {
            fail("late", [("schedules", listed(late))])
        } else if let Some(blind) = unseen {
            Verdict::Blind(blind.clone())
        } else if !never.is_empty() {
            missing("never", [("schedules", listed(never))])
        } else {
            pass("ok", [])
        }
    })
}

pub(super) fn alarms(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.alarms, |alarms| {
        if alarms.is_empty() {
            return missing("none", []);
        }
        let ringing: Vec<_> = alarms.iter().filter(|alarm| alarm.rings).map(|alarm| &alarm.name).collect();
        if ringing.is_empty() {
            pass("ok", [("count", alarms.len().to_string())])
        } else {
            fail("ringing", [("alarms", listed(ringing))])
        }
    })
}

pub(super) fn permissions(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.permissions, |permissions| {
        if permissions.is_empty() {
            return missing("none", []);
        }
        let refused = permissions.iter().filter(|permission| !permission.is_allowed);
        let refused: Vec<String> =
            refused.map(|permission| format!("{}: {}", permission.function, permission.action)).collect();
        if refused.is_empty() { pass("ok", []) } else { fail("refused", [("actions", listed(refused))]) }
    })
}

pub(super) fn backups(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.point_in_time_recovery, |is_on| if *is_on { pass("ok", []) } else { fail("off", []) })
}

pub(super) fn audit_log(facts: &Facts<'_>) -> Verdict {
    of(&facts.stack.audit_log, |log| match log.as_ref().map(|log| (log, log.kept_days)) {
        None => missing("none", []),
        Some((log, Some(days))) if days < YEAR_IN_DAYS => {
            fail("short", [("log", log.name.clone()), ("days", days.to_string())])
        }
        Some((log, _)) => pass("ok", [("log", log.name.clone())]),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::readiness::testing::{Case, blind, table};

    fn rule<'a>(facts: &'a mut Facts<'_>) -> &'a mut RuleSeen {
        facts.stack.rules.as_mut().unwrap().first_mut().unwrap()
    }

    #[test]
    fn the_rule_brings_every_kind_of_news() {
        fn only(facts: &mut Facts<'_>, pattern: Value) {
            rule(facts).pattern = pattern;
        }
        table(
            "wiring.eventbridge_rule",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| only(facts, json!({ "source": ["aws.agreement-marketplace"] }))),
                // Two rules that bring all of it together.
                Case::pass("ok", |facts| {
                    let mut other = rule(facts).clone();
                    rule(facts).pattern = json!({ "detail-type": [{ "prefix": "License " }] });
                    other.pattern = json!({ "detail-type": [{ "prefix": "Purchase Agreement " }] });
                    facts.stack.rules.as_mut().unwrap().push(other);
                }),
                Case::missing("none", |facts| facts.stack.rules = Ok(Vec::new())),
                Case::fail("off", |facts| rule(facts).is_enabled = false),
                Case::fail("off", |facts| rule(facts).has_target = false),
                Case::fail("unheard", |facts| only(facts, json!({ "detail-type": [{ "prefix": "License " }] }))),
                // Agreement events carry no product: such a filter drops them.
                Case::fail("unheard", |facts| only(facts, json!({ "detail": { "product": { "id": ["prod-1"] } } }))),
                Case::unsure("pattern", |facts| only(facts, json!({ "source": [{ "wildcard": "aws.*" }] }))),
                Case::blind(|facts| facts.stack.rules = Err(blind())),
            ],
        );
    }

    #[test]
    fn a_listing_of_the_older_kind_is_subscribed_to_its_topics() {
        table(
            "wiring.sns_subscription",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.subscriptions = Ok(Vec::new())),
                // Of a contract the entitlement topic as well, and those of another product do not help.
                Case::missing("none", |facts| {
                    facts.stack.subscriptions.as_mut().unwrap().pop();
                }),
                Case::missing("none", |facts| {
                    facts.stack.subscriptions.as_mut().unwrap().first_mut().unwrap().topic.push('2');
                }),
                Case::fail("unconfirmed", |facts| {
                    facts.stack.subscriptions.as_mut().unwrap().first_mut().unwrap().is_confirmed = false;
                }),
                Case::blind(|facts| facts.stack.subscriptions = Err(blind())),
            ],
        );
    }

    #[test]
    fn no_dead_letter_is_left_lying() {
        table(
            "wiring.queues_drained",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.dead_letters = Ok(Vec::new())),
                Case::fail("full", |facts| {
                    facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = 1;
                }),
                Case::blind(|facts| facts.stack.dead_letters = Err(blind())),
            ],
        );
    }

    #[test]
    fn what_runs_by_the_clock_ran_on_time() {
        fn schedule<'a>(facts: &'a mut Facts<'_>) -> &'a mut crate::readiness::ScheduleSeen {
            facts.stack.schedules.as_mut().unwrap().first_mut().unwrap()
        }
        table(
            "wiring.schedules",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.schedules = Ok(Vec::new())),
                Case::fail("off", |facts| schedule(facts).is_enabled = false),
                Case::pass("ok", |facts| {
                    let now = facts.now;
                    schedule(facts).patience = Duration::from_secs(600);
                    schedule(facts).last_run = Ok(Some(now - jiff::SignedDuration::from_secs(600)));
                }),
                Case::fail("late", |facts| {
                    let now = facts.now;
                    schedule(facts).patience = Duration::from_secs(600);
                    schedule(facts).last_run = Ok(Some(now - jiff::SignedDuration::from_secs(601)));
                }),
                Case::missing("never", |facts| schedule(facts).last_run = Ok(None)),
                Case::blind(|facts| schedule(facts).last_run = Err(blind())),
                // One that cannot be seen does not hide another that is late.
                Case::fail("late", |facts| {
                    let mut late = schedule(facts).clone();
                    late.last_run = Ok(Some(Timestamp::UNIX_EPOCH));
                    schedule(facts).last_run = Err(blind());
                    facts.stack.schedules.as_mut().unwrap().push(late);
                }),
                Case::blind(|facts| facts.stack.schedules = Err(blind())),
            ],
        );
    }

    #[test]
    fn the_stack_is_watched_permitted_kept_and_logged() {
        table(
            "wiring.alarms",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.alarms = Ok(Vec::new())),
                Case::fail("ringing", |facts| {
                    facts.stack.alarms.as_mut().unwrap().first_mut().unwrap().rings = true;
                }),
                Case::blind(|facts| facts.stack.alarms = Err(blind())),
            ],
        );
        table(
            "wiring.permissions",
            &[
                Case::pass("ok", |_| {}),
                Case::missing("none", |facts| facts.stack.permissions = Ok(Vec::new())),
                Case::fail("refused", |facts| {
                    facts.stack.permissions.as_mut().unwrap().first_mut().unwrap().is_allowed = false;
                }),
                Case::blind(|facts| facts.stack.permissions = Err(blind())),
            ],
        );
        table(
            "wiring.backups",
            &[
                Case::pass("ok", |_| {}),
                Case::fail("off", |facts| facts.stack.point_in_time_recovery = Ok(false)),
                Case::blind(|facts| facts.stack.point_in_time_recovery = Err(blind())),
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
                Case::fail("short", |facts| kept(facts, Some(364))),
                Case::missing("none", |facts| facts.stack.audit_log = Ok(None)),
                Case::blind(|facts| facts.stack.audit_log = Err(blind())),
            ],
        );
    }
}
