//! Simulated time: Tokio's paused clock, and the clock that the functions and AWS read, in step with it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A period from one time up to another.
pub type Period = (Timestamp, Timestamp);

/// The time of one simulation.
#[derive(Debug, Clone)]
pub struct Time {
    start: Timestamp,
    origin: Instant,
    clock: Clock,
}

impl Time {
    /// Returns a time that starts now, in a runtime whose clock is paused.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, origin: Instant::now(), clock: Clock::fixed_at(start) }
    }

    /// Returns the clock that shows this time to the functions.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Returns the start time.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns the time since the start.
    pub fn passed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Waits until the given time.
    pub async fn reach(&self, at: Timestamp) {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(wait).await;
        self.clock.set(self.now());
    }
}

thread_local! {
    static ACTOR: Cell<usize> = const { Cell::new(0) };
}

/// Returns the actor whose code runs on this thread. See [`InStep`].
pub fn actor() -> usize {
    ACTOR.get()
}

/// An actor's work. Before each step the functions' clock is set to the time of Tokio's clock.
pub struct InStep<F> {
    time: Time,
    actor: usize,
    work: Pin<Box<F>>,
}

impl<F> InStep<F> {
    /// Returns the work of an actor.
    pub fn new(time: &Time, actor: usize, work: F) -> Self {
        Self { time: time.clone(), actor, work: Box::pin(work) }
    }
}

impl<F: Future> Future for InStep<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.time.clock.set(self.time.now());
        let before = ACTOR.replace(self.actor);
        let polled = self.work.as_mut().poll(cx);
        ACTOR.set(before);
        polled
    }
}
