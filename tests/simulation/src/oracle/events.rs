//! Judges the application's events: they are numbered without a gap, and each activation after an ending has a cause in
//! AWS.

use domain::ids::LicenseId;
use domain::notification::{OutboundEvent, OutboundEventKind};

use crate::difference::Difference;
use crate::holding::Holding;
use crate::simulation::Simulation;
use crate::stack::Stack;

/// Judges the events of every license.
pub(super) async fn judge(sim: &Simulation) -> Vec<Difference> {
    let mut differences = Vec::new();
    let holdings = sim.buyers().holdings.clone();
    for holding in &holdings {
        let Some(stack) = sim.stack(holding.stage) else { continue };
        for id in holding.ids() {
            let wrong = judge_license(sim, stack, holding, id).await;
            differences
                .extend(wrong.into_iter().map(|what| Difference::about(&holding.license, format!("{id}: {what}"))));
        }
    }
    differences
}

async fn judge_license(sim: &Simulation, stack: &Stack, holding: &Holding, id: &LicenseId) -> Vec<String> {
    let events = match stack.store.events_of_license(id).await {
        Ok(events) => events,
        Err(error) => return vec![format!("its events cannot be read: {error}")],
    };
    for event in &events {
        sim.count(&format!("published {}", event.kind.name()), 1);
        sim.log(|| format!("in the end: {id} published {} {} {:?}", event.sequence, event.at, event.kind));
    }
    let mut wrong = judge_numbers(&events);
    wrong.extend(judge_causes(sim, holding, &events));
    wrong.extend(judge_tenants(&events));
    wrong.extend(judge_line(stack, id, &events).await);
    wrong
}

fn judge_numbers(events: &[OutboundEvent]) -> Vec<String> {
    let numbers: Vec<u64> = events.iter().map(|event| event.sequence).collect();
    let expected: Vec<u64> = (1..=events.len() as u64).collect();
    if numbers == expected { Vec::new() } else { vec![format!("its events have the numbers {numbers:?}")] }
}

/// Judges that a license that has ended is activated again only if AWS activated it after an ending.
fn judge_causes(sim: &Simulation, holding: &Holding, events: &[OutboundEvent]) -> Vec<String> {
    let buyers = sim.buyers();
    let times = |of: &std::collections::BTreeSet<(LicenseId, jiff::Timestamp)>| -> Vec<jiff::Timestamp> {
        of.iter().filter(|(license, _)| *license == holding.license).map(|(_, at)| *at).collect()
    };
    let (activations, endings) = (times(&buyers.activations), times(&buyers.endings));
    let mut has_ended = false;
    let mut wrong = Vec::new();
    for event in events {
        match &event.kind {
            OutboundEventKind::LicenseEnding { .. } | OutboundEventKind::LicenseEnded { .. } => has_ended = true,
            OutboundEventKind::LicenseActivated if has_ended => {
                let is_cause = |at: &&jiff::Timestamp| **at <= event.at && endings.iter().any(|end| end < *at);
                if !activations.iter().any(|at| is_cause(&at)) {
                    let (sequence, at) = (event.sequence, event.at);
                    wrong.push(format!(
                        "license.activated ({sequence}) at {at} follows an ending, and AWS did nothing after it"
                    ));
                }
                has_ended = false;
            }
            _ => {}
        }
    }
    wrong
}

/// Judges that links and unlinks alternate.
fn judge_tenants(events: &[OutboundEvent]) -> Vec<String> {
    let mut tenant = None;
    let mut wrong = Vec::new();
    for event in events {
        match &event.kind {
            OutboundEventKind::LicenseLinked { tenant: to } => {
                if let Some(known) = tenant.replace(to.clone()) {
                    wrong.push(format!("it was linked to {to} while it was linked to {known}"));
                }
            }
            OutboundEventKind::LicenseUnlinked { tenant: from } => {
                let known = tenant.take();
                if known.as_ref() != Some(from) {
                    wrong.push(format!("it was unlinked from {from} while it was linked to {known:?}"));
                }
            }
            _ => {}
        }
    }
    wrong
}

/// Judges that a license and its predecessor do not belong to two tenants, unless each had its own tenant before AWS's
/// events joined them.
async fn judge_line(stack: &Stack, id: &LicenseId, events: &[OutboundEvent]) -> Vec<String> {
    let Ok(Some(license)) = stack.store.license(id).await else { return Vec::new() };
    let Some(before) = &license.predecessor else { return Vec::new() };
    let Ok(Some(before)) = stack.store.license(before).await else { return Vec::new() };
    if before.successor() != Some(id) {
        // A move to it was planned, and never made.
        return Vec::new();
    }
    let Ok(told_before) = stack.store.events_of_license(&before.id).await else { return Vec::new() };
    let ended = told_before
        .iter()
        .find(|it| matches!(it.kind, OutboundEventKind::LicenseEnding { .. } | OutboundEventKind::LicenseEnded { .. }));
    let linked = events.iter().find(|it| matches!(it.kind, OutboundEventKind::LicenseLinked { .. }));
    let was_linked = linked.zip(ended).is_some_and(|(linked, ended)| linked.at < ended.at);
    match (&before.tenant, &license.tenant) {
        (Some(old), Some(new)) if old != new && !was_linked => {
            vec![format!("it belongs to {new}, and {}, from which it took over, to {old}", before.id)]
        }
        _ => Vec::new(),
    }
}
