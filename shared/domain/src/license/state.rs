//! The state of a license: a pure function of the newest events and the time; and the events that a change of it
//! publishes.

use jiff::Timestamp;

use super::{EndReason, FINAL_REPORTING_PERIOD, INTAKE_PROPAGATION_TIME, License, State};
use crate::notification::OutboundEventKind;
use crate::time::UsageHour;

impl License {
    /// Returns the state at `now`, from the newest events alone.
    ///
    /// A license is active since its newest activating event. It has ended since the earliest ending that is not older
    /// than that event: an ending wins over an activating event of the same time. It is `Ending` for 60 minutes, then
    /// `Ended`. A failed payment matters only to a license that was never active.
    pub fn state_at(&self, now: Timestamp) -> State {
        let endings = self.endings();
        let deciding = endings.iter().max_by_key(|ending| precedence(ending.reason));
        match (self.active_since(), self.usage_until(), deciding) {
            (active_since, Some(usage_until), Some(ending)) => {
                let closed = active_since.is_none()
                    || endings.iter().any(|ending| ending.closes)
                    || now.duration_since(usage_until) >= FINAL_REPORTING_PERIOD;
                if closed { State::Ended { reason: ending.reason } } else { State::Ending { usage_until } }
            }
            (Some(_), _, _) => State::Active,
            (None, _, _) if self.history.failed.is_some() => State::Failed,
            (None, _, _) => State::Pending,
        }
    }

    /// Returns `true` if the buyer may use the product at `now`.
    ///
    /// While a license is ending, the buyer keeps access until AWS has revoked it (`License Deprovisioned`,
    /// `unsubscribe-success`), or until the 60 minutes have passed.
    pub fn grants_access_at(&self, now: Timestamp) -> bool {
        match self.state_at(now) {
            State::Active => true,
            State::Ending { .. } => !self.endings().iter().any(|ending| ending.revokes),
            State::Pending | State::Failed | State::Ended { .. } => false,
        }
    }

    /// Returns the moment after which usage is no longer the license's; `None` if the license has not ended.
    pub fn usage_until(&self) -> Option<Timestamp> {
        self.endings().iter().map(|ending| ending.at).min()
    }

    /// Returns the time since which the license is in force, or was before it ended.
    ///
    /// A license that was only observed in force is in force since AWS was asked, so that no earlier hour is billed for
    /// it. A license that was in force before, by an older agreement, continues when the newer agreement starts.
    pub fn active_since(&self) -> Option<Timestamp> {
        let activated = self.history.updated.as_ref().map(|agreement_ref| agreement_ref.stamp.at);
        let activated = activated.max(self.history.subscribed.as_ref().map(|stamp| stamp.at));
        match self.observed_in_force() {
            Some(observed) => Some(activated.and(observed.starts_at).unwrap_or(observed.at)),
            None => activated,
        }
    }

    /// Returns the time before which endings are lifted: that of the newest activating event, or the start of the
    /// agreement by which the license was observed in force.
    pub fn endings_lifted_before(&self) -> Option<Timestamp> {
        match self.observed_in_force() {
            Some(observed) => observed.starts_at,
            None => self.active_since(),
        }
    }

    /// Returns every ending that the newest activating event did not lift, and the succession by another license.
    ///
    /// Later events of the same agreement do not lift a succession.
    fn endings(&self) -> Vec<Ending> {
        let succeeded = self.history.succeeded.as_ref();
        let succeeded = succeeded.filter(|succession| succession.from.as_ref() == self.agreement());
        let succeeded = succeeded.map(|succession| Ending::revoking(succession.at, EndReason::Succeeded));
        self.own_endings().into_iter().chain(succeeded).collect()
    }

    /// Returns the moment from which AWS accepts no more of its usage; `None` if it has not ended.
    pub fn final_hour_ends(&self) -> Option<Timestamp> {
        self.usage_until().map(|until| until.checked_add(FINAL_REPORTING_PERIOD).unwrap_or(until))
    }

    /// Returns the moment at which the agreement that the license follows ended; `None` if it has not.
    pub fn agreement_ended_at(&self) -> Option<Timestamp> {
        self.agreement_ending().map(|(_, at)| at)
    }

    fn agreement_ending(&self) -> Option<(EndReason, Timestamp)> {
        let known = self.history.agreement.as_ref().filter(|known| Some(&known.agreement) == self.agreement())?;
        known.ending(|at| self.is_not_lifted(at))
    }

    /// Returns `true` if no activating event lifts an ending at that moment.
    fn is_not_lifted(&self, ending: Timestamp) -> bool {
        Some(ending) >= self.endings_lifted_before()
    }

    /// Returns every ending of the license itself that the newest activating event did not lift.
    ///
    /// The end of an agreement that the license no longer follows does not count.
    fn own_endings(&self) -> Vec<Ending> {
        let history = &self.history;
        let deprovisioned = self.agreement().and_then(|current| history.deprovisioned.get(current));
        let all = [
            deprovisioned.map(|stamp| Ending::revoking(stamp.at, EndReason::Deprovisioned)),
            self.agreement_ending().map(|(reason, at)| Ending::announced(at, reason)),
            self.moving
                .as_ref()
                .and_then(|it| it.agreement_ended_at)
                .map(|at| Ending::announced(at, EndReason::Unsubscribed)),
            history.unsubscribing.as_ref().map(|stamp| Ending::announced(stamp.at, EndReason::Unsubscribed)),
            history.unsubscribed.as_ref().map(|stamp| Ending::closing(stamp.at, EndReason::Unsubscribed)),
        ];
        all.into_iter().flatten().filter(|ending| self.is_not_lifted(ending.at)).collect()
    }

    /// Returns the newest moment from `since` on at which the buyer of a legacy product unsubscribed, even if the buyer
    /// has subscribed again.
    pub fn unsubscribed_since(&self, since: Timestamp) -> Option<Timestamp> {
        let left = self.history.unsubscribing.as_ref().or(self.history.unsubscribed.as_ref());
        left.map(|stamp| stamp.at).filter(|at| *at >= since)
    }

    /// Returns the moment at which the license ended by itself, whichever license took over from it; `None` if it has
    /// not.
    pub fn own_end_at(&self) -> Option<Timestamp> {
        self.own_endings().iter().map(|ending| ending.at).min()
    }

    /// Returns `true` if an hour is billed under this key, and not under the license that its buyer moves to.
    pub fn bills(&self, hour: UsageHour) -> bool {
        self.moving.as_ref().is_none_or(|moving| {
            let is_back = moving.returned.as_ref().is_some_and(|back| back.metered_from <= hour);
            moving.cancelled_at.is_some() || hour < moving.at || is_back
        })
    }

    /// Cancels a planned move of a buyer who left before its hour.
    fn cancel_move_of_ended_license(&mut self, now: Timestamp) {
        let usage_until = self.usage_until();
        if let Some(moving) = self.moving.as_mut().filter(|moving| moving.is_planned())
            && usage_until.is_some_and(|until| until < moving.at.start())
        {
            moving.cancelled_at = Some(now);
        }
    }
}

/// Brings `after` up to date with the time, and returns the events to publish for the change from `before`.
///
/// If the license has ended and had not before, its hours are sealed and the reporter's flush is scheduled. If it has
/// not ended any more, the flush is cancelled and the seal stays.
pub fn transition(before: Option<&License>, after: &mut License, now: Timestamp) -> Vec<OutboundEventKind> {
    after.state = after.state_at(now);
    after.cancel_move_of_ended_license(now);
    let state_before = before.map_or(State::Pending, |license| license.state.clone());
    match (&state_before, &after.state) {
        (State::Ending { .. } | State::Ended { .. }, State::Ending { .. } | State::Ended { .. }) => {}
        (_, State::Ending { .. } | State::Ended { .. }) => {
            after.sealed_through = after.sealed_through.max(after.usage_until().map(UsageHour::of));
            after.sealed_at = Some(now);
            after.flush_at = now.checked_add(INTAKE_PROPAGATION_TIME).ok();
        }
        (State::Ending { .. } | State::Ended { .. }, State::Pending | State::Failed | State::Active) => {
            // Its flush may have summed the hours up to this one.
            after.sealed_through = after.sealed_through.max(Some(UsageHour::of(now)));
            after.flush_at = None;
        }
        (_, State::Pending | State::Failed | State::Active) => after.flush_at = None,
    }
    let mut events = Vec::new();
    if state_before.name() != after.state.name() {
        match &after.state {
            State::Pending => {}
            State::Failed => events.push(OutboundEventKind::LicenseFailed),
            State::Active => events.push(OutboundEventKind::LicenseActivated),
            State::Ending { usage_until } => {
                events.push(OutboundEventKind::LicenseEnding { usage_until: *usage_until })
            }
            State::Ended { reason } => {
                events.push(OutboundEventKind::LicenseEnded { reason: *reason, successor: after.successor().cloned() });
            }
        }
    }
    let tenant_before = before.and_then(|license| license.tenant.as_ref());
    if let Some(tenant) = tenant_before.filter(|tenant| after.tenant.as_ref() != Some(*tenant)) {
        events.push(OutboundEventKind::LicenseUnlinked { tenant: tenant.clone() });
    }
    if let Some(tenant) = after.tenant.as_ref().filter(|tenant| Some(*tenant) != tenant_before) {
        events.push(OutboundEventKind::LicenseLinked { tenant: tenant.clone() });
    }
    let advised_before = before.and_then(License::advisory_since);
    match (advised_before, after.advisory_since()) {
        (known, Some(since)) if known != Some(since) => events.push(OutboundEventKind::AdvisoryIssued { since }),
        (Some(since), None) => events.push(OutboundEventKind::AdvisoryResolved { since }),
        _ => {}
    }
    let entitlements_before = before.map_or(&[][..], |license| &license.entitlements);
    if entitlements_before != after.entitlements {
        events.push(OutboundEventKind::EntitlementsChanged { entitlements: after.entitlements.clone() });
    }
    events
}

/// An ending of a license.
struct Ending {
    at: Timestamp,
    reason: EndReason,
    /// `true` if AWS accepts no more usage from here on.
    closes: bool,
    /// `true` if the buyer's access ends here, and not only after the 60 minutes.
    revokes: bool,
}

impl Ending {
    fn announced(at: Timestamp, reason: EndReason) -> Self {
        Self { at, reason, closes: false, revokes: false }
    }

    fn revoking(at: Timestamp, reason: EndReason) -> Self {
        Self { at, reason, closes: false, revokes: true }
    }

    fn closing(at: Timestamp, reason: EndReason) -> Self {
        Self { at, reason, closes: true, revokes: true }
    }
}

/// Returns the precedence of a reason: of several reasons for one ending, the most specific one counts.
fn precedence(reason: EndReason) -> u8 {
    match reason {
        EndReason::AgreementEnded => 0,
        EndReason::Deprovisioned => 1,
        EndReason::Succeeded => 2,
        EndReason::Unsubscribed => 3,
        EndReason::Terminated => 4,
        EndReason::Expired => 5,
        EndReason::Cancelled => 6,
    }
}
