//! Usage on its way to Stallkeeper.
//!
//! An event is put here when the work is done, with a key that never changes, and stays until it is answered, however
//! often it takes. That bills it once: the key makes one fact of all that is sent under it. What the rules are:
//!
//! - The event's time is when it happened. So one that is sent late still counts for its hour, if it is not more than 24
//!   hours late and its month is open.
//! - A correction has the same key, the whole new quantity, and the next revision, also if the one before may never have
//!   arrived: the highest revision counts, in whatever order they do.
//! - What was refused is shown to a person and not dropped.
//!
//! Here it is kept in memory. **A real application has a table of it in its database, and writes the event in the
//! transaction that does the work**: then there is no work without usage, and no usage without work.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::stallkeeper::{EventResult, MOST_EVENTS, Stallkeeper, UsageEvent};

/// How long what was taken in is still shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// An event, and how far it is.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whose it is here. At Stallkeeper it is the license's.
    tenant: String,
    /// The event as it is now.
    pub event: UsageEvent,
    /// How far it is.
    pub state: State,
}

/// How far an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is to be sent.
    Waiting,
    /// Stallkeeper has it.
    TakenIn,
    /// Stallkeeper does not take it; the code says why. A person decides what becomes of it.
    Stuck(String),
}

impl Report {
    /// Whether its quantity can still be corrected.
    pub fn is_correctable(&self, now: Timestamp) -> bool {
        let hour = |time: Timestamp| time.as_second().div_euclid(3600);
        hour(self.event.time) == hour(now) && !matches!(self.state, State::Stuck(_))
    }
}

/// It can no longer be corrected: its hour is over, or it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCorrectable;

/// All events that are not long done with.
#[derive(Debug, Default)]
pub struct Outbox {
    reports: Mutex<Vec<Report>>,
    /// Of two that send, one waits: what the first settles need not be sent twice.
    sending: tokio::sync::Mutex<()>,
}

impl Outbox {
    /// Takes an event of a tenant in.
    pub fn put(&self, tenant: &str, event: UsageEvent) {
        let mut reports = self.lock();
        let oldest = event.time - SHOWN;
        reports.retain(|report| report.state != State::TakenIn || report.event.time > oldest);
        reports.push(Report { tenant: tenant.to_owned(), event, state: State::Waiting });
    }

    /// Corrects the quantity of an event, while its hour runs. Stallkeeper keeps an hour open for five minutes more:
    /// they are for what is sent again.
    ///
    /// # Errors
    ///
    /// [`NotCorrectable`].
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

    /// What is here of a tenant, newest first.
    pub fn of(&self, tenant: &str) -> Vec<Report> {
        self.lock().iter().rev().filter(|report| report.tenant == tenant).cloned().collect()
    }

    /// Sends what waits, once.
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
                    // Everything stays, and is sent again with the next.
                    tracing::warn!(%error, events = events.len(), "usage was not taken in");
                    return;
                }
            }
        }
    }

    fn settle(&self, sent: &UsageEvent, result: EventResult) {
        let mut reports = self.lock();
        // One that was corrected meanwhile waits for its own answer.
        let Some(report) = reports.iter_mut().find(|report| report.event == *sent) else { return };
        match result {
            EventResult::Accepted | EventResult::Duplicate => report.state = State::TakenIn,
            EventResult::Retry => {}
            EventResult::Refused { code, .. } if code == "time_in_future" => {
                tracing::warn!("this machine's clock is ahead; the event waits until its time has come");
            }
            // The license was renewed as another. What is refused is not taken in under the old one, however often it was
            // sent before, so it is the new one's.
            EventResult::Refused { successor: Some(successor), .. } => report.event.license = successor,
            EventResult::Refused { code, .. } | EventResult::Conflict { code } => {
                tracing::error!(
                    license = sent.license,
                    key = sent.key,
                    code,
                    "usage is stuck: a person must look at it"
                );
                report.state = State::Stuck(code);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
