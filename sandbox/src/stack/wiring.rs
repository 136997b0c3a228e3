//! The wiring of the stack, and its switches.

use std::sync::{MutexGuard, PoisonError};

use local_aws::MarketplaceEvent;
use serde_json::{Map, Value, json};

use super::Stack;
use crate::queue::Queue;
use crate::wiring::{DeadLetters, InvalidWiring, Schedule, State, Wiring};

impl Stack {
    /// Returns the current wiring.
    pub(crate) fn wiring(&self) -> Wiring {
        let dead_letters = DeadLetters::ALL.map(|of| (of, self.dead_letters_in(of).overview().dead_letters.len()));
        Wiring { dead_letters: dead_letters.into(), ..self.wired().clone() }
    }

    /// Changes the wiring by a merge patch.
    ///
    /// # Errors
    ///
    /// Fails for a part that the stack does not have, and for a value that AWS does not know.
    pub(crate) fn patch_wiring(&self, patch: Map<String, Value>) -> Result<(), InvalidWiring> {
        self.wire(self.wiring().patched(patch, &Wiring::deployed(&self.listings))?);
        Ok(())
    }

    /// Restores the wiring that the template deploys. There are no dead letters then.
    pub(crate) fn reset_wiring(&self) {
        self.wire(Wiring::deployed(&self.listings));
    }

    fn wire(&self, wiring: Wiring) {
        let now = self.clock.now();
        for of in DeadLetters::ALL {
            let (queue, wanted) = (self.dead_letters_in(of), wiring.dead_letters.get(&of).copied().unwrap_or_default());
            let (visible, hidden) = queue.dead_letter_counts(now);
            for _ in visible + hidden..wanted {
                queue.put_dead_letter(json!({ "made": "by hand, in the sandbox" }).to_string(), now);
            }
            queue.truncate_dead_letters(wanted);
        }
        *self.wired() = wiring;
    }

    /// Switches the reporter's schedule on or off.
    pub(crate) fn set_schedule(&self, is_on: bool) {
        let state = if is_on { State::Enabled } else { State::Disabled };
        self.wired().schedules.insert(Schedule::Metering, state);
    }

    /// Returns `true` if a schedule is on.
    pub(crate) fn runs_by(&self, schedule: Schedule) -> bool {
        self.wired().runs(schedule)
    }

    /// Returns `true` if the wiring delivers an event.
    pub(super) fn delivers(&self, event: &MarketplaceEvent) -> bool {
        self.wired().delivers(event)
    }

    fn dead_letters_in(&self, of: DeadLetters) -> &Queue {
        match of {
            DeadLetters::MarketplaceEvents => &self.queue,
            DeadLetters::Mail => &self.mail,
            DeadLetters::Run => &self.runs,
        }
    }

    fn wired(&self) -> MutexGuard<'_, Wiring> {
        self.wiring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
