//! The passing of time: everything that is due happens when the clock reaches it, in order.
//!
//! The clock is never moved past a moment at which something is due. It stops there, the work is done with all that
//! follows from it, and then the clock moves on.

use std::future::Future;
use std::sync::Arc;

use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local_aws::Outbox;
use tokio::sync::Mutex;

use crate::bus::Bus;
use crate::schedule::Schedules;
use crate::stack::Stack;

/// The clock, and the work that waits for it.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock: Clock,
    stacks: Vec<Arc<Stack>>,
    outbox: Arc<Outbox>,
    due: Mutex<Due>,
}

/// The work that waits for the clock, besides the queues. Only the holder of its lock moves the clock.
#[derive(Debug)]
struct Due {
    bus: Bus,
    schedules: Schedules,
}

/// The error for a time that the clock cannot show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is out of range")]
pub struct TimeOutOfRange;

impl Timeline {
    pub(crate) fn new(clock: Clock, bus: Bus, outbox: Arc<Outbox>, stacks: Vec<Arc<Stack>>) -> Self {
        Self { clock, stacks, outbox, due: Mutex::new(Due { bus, schedules: Schedules::default() }) }
    }

    /// Does everything that is due now, until nothing more follows.
    pub(crate) async fn settle(&self) {
        let mut due = self.due.lock().await;
        self.settle_now(&mut due).await;
    }

    /// Moves the clock forward, through every moment at which something is due.
    ///
    /// # Errors
    ///
    /// Fails when the resulting time is out of range.
    pub(crate) async fn advance(&self, by: SignedDuration) -> Result<Timestamp, TimeOutOfRange> {
        let mut due = self.due.lock().await;
        let target = self.clock.now().checked_add(by).map_err(|_| TimeOutOfRange)?;
        self.go_to(&mut due, target).await;
        Ok(self.clock.now())
    }

    /// Sets the clock: forward through every moment at which something is due, or back, which undoes nothing.
    pub(crate) async fn set(&self, at: Timestamp) -> Timestamp {
        let mut due = self.due.lock().await;
        if at < self.clock.now() {
            self.clock.set(at);
            due.schedules.rewind(at);
        }
        self.go_to(&mut due, at).await;
        self.clock.now()
    }

    /// Runs a task at every multiple of an interval.
    pub(crate) async fn every<F>(
        &self,
        every: SignedDuration,
        name: &str,
        run: impl Fn(Timestamp) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let now = self.clock.now();
        self.due.lock().await.schedules.add(name, every, now, run);
    }

    async fn go_to(&self, due: &mut Due, target: Timestamp) {
        self.settle_now(due).await;
        while let Some(next) = self.next_due(due).filter(|next| *next <= target) {
            self.forward_to(next);
            self.settle_now(due).await;
        }
        self.forward_to(target);
        self.settle_now(due).await;
    }

    /// Sets the clock forward to a time. A clock that ticks may have passed it already, and is not set back.
    fn forward_to(&self, at: Timestamp) {
        if at > self.clock.now() {
            self.clock.set(at);
        }
    }

    fn next_due(&self, due: &mut Due) -> Option<Timestamp> {
        let stacks = self.stacks.iter().flat_map(|stack| [stack.next_due(), stack.next_run()]).flatten();
        stacks.chain(due.bus.next_due()).chain(due.schedules.next_due()).min()
    }

    async fn settle_now(&self, due: &mut Due) {
        loop {
            let now = self.clock.now();
            while let Some((at, event)) = due.bus.take_due(now) {
                for stack in &self.stacks {
                    stack.receive(at, &event);
                }
            }
            let mut delivered = false;
            for stack in &self.stacks {
                while stack.deliver(now).await {
                    delivered = true;
                }
                if stack.next_run().is_some_and(|at| at <= now) {
                    stack.report_usage().await;
                    delivered = true;
                }
                while stack.publish_events(now).await || stack.send_mail(&self.outbox, now).await {
                    delivered = true;
                }
            }
            if delivered {
                continue;
            }
            let Some((name, run)) = due.schedules.start_due(now) else { return };
            tracing::debug!(name, "a schedule runs");
            run.await;
        }
    }
}
