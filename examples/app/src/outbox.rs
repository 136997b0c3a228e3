//! Usage on its way to Stallkeeper.
//!
//! An event is put here when the work is done, with a key that never changes, and stays until it is answered, however
//! many attempts that takes. This bills it once: everything that is sent under one key is one event. The rules:
//!
//! - The event's time is the time at which the usage happened. An event that is sent late still counts for its hour, if
//!   it is not more than 24 hours late and its month is open.
//! - A correction has the same key, the whole new quantity, and the next revision, even if the previous revision may
//!   never have arrived: the highest revision counts, in whatever order they arrive.
//! - A refused event is shown to an operator and not dropped.
//!
//! Here it is kept in memory. **A real application has a table of it in its database, and writes the event in the
//! transaction that does the work**: then there is no work without usage, and no usage without work.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::stallkeeper::{EventResult, MOST_EVENTS, Stallkeeper, UsageEvent};

/// The time for which an accepted event is still shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// An event, and its state.
#[derive(Debug, Clone)]
pub struct Report {
    /// The tenant that it belongs to here. In Stallkeeper it belongs to the license.
    tenant: String,
    /// The event, with its corrections.
    pub event: UsageEvent,
    /// The state of the event.
    pub state: State,
}

/// The state of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits to be sent.
    Waiting,
    /// Stallkeeper has accepted it.
    Accepted,
    /// Stallkeeper refuses it; the code is the reason. An operator decides about it.
    Stuck(String),
}

impl Report {
    /// Returns `true` if its quantity can still be corrected.
    pub fn is_correctable(&self, now: Timestamp) -> bool {
        let hour = |time: Timestamp| time.as_second().div_euclid(3600);
        hour(self.event.time) == hour(now) && !matches!(self.state, State::Stuck(_))
    }
}

/// The error for an event that can no longer be corrected: its hour has ended, or it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCorrectable;

/// The events that are not answered, and those that were accepted a short time ago.
#[derive(Debug, Default)]
pub struct Outbox {
    reports: Mutex<Vec<Report>>,
    /// A lock by which two senders take turns: events that the first has settled need not be sent twice.
    sending: tokio::sync::Mutex<()>,
}

impl Outbox {
    /// Adds an event of a tenant.
    pub fn put(&self, tenant: &str, event: UsageEvent) {
        let mut reports = self.lock();
        let oldest = event.time - SHOWN;
        reports.retain(|report| report.state != State::Accepted || report.event.time > oldest);
        reports.push(Report { tenant: tenant.to_owned(), event, state: State::Waiting });
    }

    /// Corrects the quantity of an event before its hour ends. Stallkeeper keeps an hour open for five minutes more,
    /// which are for events that are sent again.
    ///
    /// # Errors
    ///
    /// Fails with [`NotCorrectable`].
    pub fn correct(&self, tenant: &str, key: &str, quantity: u64, now: Timestamp) -> Result<(), NotCorrectable> {
        let mut reports = self.lock();
        let is_meant =
            |report: &&mut Report| report.event.key == key && report.tenant == tenant && report.is_correctable(now);
        let report = reports.iter_mut().find(is_meant).ok_or(NotCorrectable)?;
        report.event.quantity = quantity;
        report.event.revision += 1;
        report.state = State::Waiting;
        Ok(())
    }

    /// Returns the events of a tenant, newest first.
    pub fn of(&self, tenant: &str) -> Vec<Report> {
        self.lock().iter().rev().filter(|report| report.tenant == tenant).cloned().collect()
    }

    /// Sends the waiting events, once.
    pub async fn send(&self, stallkeeper: &Stallkeeper) {
        let _one_at_a_time = self.sending.lock().await;
        let waiting: Vec<UsageEvent> = {
            let reports = self.lock();
            let waiting = reports.iter().filter(|report| report.state == State::Waiting);
            waiting.map(|report| report.event.clone()).collect()
        };
        for events in waiting.chunks(MOST_EVENTS) {
            match stallkeeper.report(events).await {
                Ok(results) => {
                    for (event, result) in events.iter().zip(results) {
                        self.settle(event, result);
                    }
                }
                Err(error) => {
                    // All events stay, and are sent again with the next attempt.
                    tracing::warn!(%error, events = events.len(), "usage was not accepted");
                    return;
                }
            }
        }
    }

    fn settle(&self, sent: &UsageEvent, result: EventResult) {
        let mut reports = self.lock();
        // An event that was corrected meanwhile waits for its own answer.
        let Some(report) = reports.iter_mut().find(|report| report.event == *sent) else { return };
        match result {
            EventResult::Accepted | EventResult::Duplicate => report.state = State::Accepted,
            EventResult::Retry => {}
            EventResult::Refused { code, .. } if code == "time_in_future" => {
                tracing::warn!("this machine's clock is ahead; the event waits until its time has come");
            }
            // The license was renewed as another one. A refused event is not accepted under the old license, however
            // often it was sent before, so it belongs to the new one.
            EventResult::Refused { successor: Some(successor), .. } => report.event.license = successor,
            EventResult::Refused { code, .. } | EventResult::Conflict { code } => {
                tracing::error!(
                    license = sent.license,
                    key = sent.key,
                    code,
                    "usage is stuck: an operator must decide about it"
                );
                report.state = State::Stuck(code);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
