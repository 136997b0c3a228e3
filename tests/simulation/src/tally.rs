//! The counts of what a seed, or all seeds together, have reached.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::faults::{Pair, is_called};

/// The states of a record in the table. The state of an acceptance includes how the acceptance is known.
const STATES: [&str; 10] = [
    "held",
    "sealed",
    "claimed",
    "accepted by success",
    "accepted by duplicate",
    "conflict",
    "refused",
    "expired",
    "unconfirmed",
    "folded",
];

/// The counts that must be reached in some seed.
const REACHED: [&str; 69] = [
    "bookings of another system",
    "buyers of another backend",
    "changes: advise",
    "changes: amend",
    "changes: renew",
    "changes: replace",
    "changes: resolve",
    "contradictions",
    "corrections",
    "endings",
    "events in conflict",
    "events lost",
    "events not answered",
    "events refused as license_ended",
    "events refused as license_unknown",
    "events refused as month_closed",
    "events refused as not_metered_yet",
    "events refused as time_in_future",
    "events refused as too_old",
    "events accepted",
    "events accepted before",
    "events to another backend",
    "events to be sent again: license_moving",
    "events to be sent again: not_confirmed",
    "truncated files",
    "import: body_invalid",
    "import: imported",
    "import: license_linked_elsewhere",
    "import: license_moves_elsewhere",
    "import: license_not_in_force",
    "import: row_invalid",
    "import: unchanged",
    "invocations throttled",
    "last chances",
    "link: done",
    "link: license_linked_elsewhere",
    "link: license_unknown",
    "checks of tenant decisions",
    "checks of granted access",
    "checks of revoked access",
    "move: done",
    "move: license_not_of_tenant",
    "moves planned",
    "reconciled on demand",
    "records billed after a move",
    "renewals with a new license",
    "repair: activated",
    "repair: ended",
    "repair: entitlements",
    "repair: found",
    "repair: handed_over",
    "repair: renewed",
    "repeats after a day or a month",
    "requeue: done",
    "runs beside another",
    "resubscriptions",
    "published license.activated",
    "published license.advisory_issued",
    "published license.advisory_resolved",
    "published license.ended",
    "published license.ending",
    "published license.entitlements_changed",
    "published license.linked",
    "published license.unlinked",
    "uncarried notes",
    "unlink: done",
    "usage around a move: after it",
    "usage around a move: before it, in the open hour",
    "usage around a move: before it, accepted later",
];

/// The least counts of a seed, below which its bill is not significant.
const LEAST_PURCHASES: u64 = 3;
const LEAST_EVENTS: u64 = 200;
const LEAST_FAULTS: u64 = 10;

/// The name of the count of usage events.
pub const EVENTS: &str = "usage events";

/// Counts, by name.
pub type Counts = BTreeMap<String, u64>;

/// The counts of a seed or of many seeds.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Tally {
    /// The number of occurrences of each event.
    pub counts: Counts,
    /// The number of times that each fault was applied.
    pub applied: Counts,
    /// The number of calls of each operation.
    pub calls: Counts,
    /// The number of times that records were observed in each state.
    pub states: Counts,
}

/// Adds to a count.
pub fn add(counts: &mut Counts, name: &str, by: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += by,
        None => {
            counts.insert(name.to_owned(), by);
        }
    }
}

impl Tally {
    /// Adds the counts of another tally.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.counts, &other.counts),
            (&mut self.applied, &other.applied),
            (&mut self.calls, &other.calls),
            (&mut self.states, &other.states),
        ];
        for (mine, theirs) in pairs {
            for (name, by) in theirs {
                add(mine, name, *by);
            }
        }
    }

    /// Returns the counts that a seed has too little of.
    pub fn too_little(&self) -> Vec<String> {
        let amounts = [
            ("purchases", LEAST_PURCHASES, self.count("purchases")),
            (EVENTS, LEAST_EVENTS, self.count(EVENTS)),
            ("applied faults", LEAST_FAULTS, self.applied.values().sum()),
        ];
        let less = amounts.into_iter().filter(|(_, least, amount)| amount < least);
        less.map(|(name, least, amount)| format!("{amount} {name}, and not {least} at least")).collect()
    }

    /// Returns `true` if the seed has too few usage events so far.
    pub fn is_quiet(&self) -> bool {
        self.count(EVENTS) < LEAST_EVENTS
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// Returns what was never reached and must be.
    pub fn missing(&self) -> Vec<String> {
        let faults = Pair::all().into_iter().map(|pair| pair.name()).filter(|name| !self.applied.contains_key(name));
        let states =
            STATES.iter().filter(|state| !self.states.contains_key(**state)).map(|state| format!("record {state}"));
        let unknown = self.calls.keys().filter(|operation| !is_called(operation));
        let unknown = unknown.map(|operation| format!("{operation} is called and never made to fail"));
        let reached = REACHED.iter().filter(|name| self.count(name) == 0).map(|name| (*name).to_owned());
        faults.chain(states).chain(reached).chain(unknown).collect()
    }

    /// Returns all counts as a table for the terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, count) in &self.counts {
            let _ = writeln!(text, "  {name:<50} {count:>10}");
        }
        let _ = writeln!(text, "\nstates of records");
        for state in STATES {
            let _ = writeln!(text, "  {state:<34} {:>10}", self.states.get(state).copied().unwrap_or_default());
        }
        let _ = writeln!(text, "\n{:<36} {:>10}", "calls and applied faults", "");
        for (operation, calls) in &self.calls {
            let applied = self.applied.iter().filter_map(|(name, count)| {
                let (of, kind) = name.split_once(' ')?;
                (of == operation).then(|| format!("{kind} {count}"))
            });
            let _ = writeln!(text, "  {operation:<20} {calls:>10}  {}", applied.collect::<Vec<_>>().join(", "));
        }
        text
    }
}
