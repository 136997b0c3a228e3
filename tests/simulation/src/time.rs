//! Simulated time: Tokio's paused clock, and the clock that the functions and AWS read, in step with it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use stallkeeper::time::Clock;
use tokio::time::Instant;

/// The time of one simulated world.
#[derive(Debug, Clone)]
pub struct Time {
    start: Timestamp,
    origin: Instant,
    clock: Clock,
}

impl Time {
    /// A time that begins now, in a runtime whose clock is paused.
    pub fn beginning_at(start: Timestamp) -> Self {
        Self { start, origin: Instant::now(), clock: Clock::standing_at(start) }
    }

    /// The clock that shows it to the functions.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// When it began.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// How long it has run.
    pub fn passed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Waits for a moment.
    pub async fn reach(&self, at: Timestamp) {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(wait).await;
        self.clock.set(self.now());
    }
}

thread_local! {
    static ACTOR: Cell<usize> = const { Cell::new(0) };
}

/// Whose code is running on this thread; see [`InStep`].
pub fn actor() -> usize {
    ACTOR.get()
}

/// Work of an actor, before each step of which the functions' clock is set to what Tokio's shows.
pub struct InStep<F> {
    time: Time,
    actor: usize,
    work: Pin<Box<F>>,
}

impl<F> InStep<F> {
    /// The work of that actor.
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
