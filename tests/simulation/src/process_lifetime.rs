//! The life of a function run: until it completes, until its time limit, or until its process dies.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fastrand::Rng;

/// The time at which a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessLifetime {
    /// The process does not die before the run completes.
    Complete,
    /// The process dies instead of being polled once more after this number of polls: the call that it waited for is
    /// done, and nothing follows.
    Steps(u32),
    /// The process dies after this time, whatever it waits for.
    Time(Duration),
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd<T> {
    /// The run completed with an answer.
    Answer(T),
    /// The process died.
    Crash,
    /// The run exceeded its time limit and was stopped.
    TimeLimit,
}

impl ProcessLifetime {
    /// Draws a life that is cut short with the given chance, early or late within about the given number of steps.
    pub fn drawn(rng: &mut Rng, chance: f64, steps: u32) -> Self {
        if rng.f64() >= chance {
            return Self::Complete;
        }
        if rng.bool() {
            // A step of the first ten is as likely as one of the last hundred.
            let most = f64::from(steps).ln();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
            let step = (rng.f64() * most).exp() as u32;
            Self::Steps(step.max(1))
        } else {
            Self::Time(Duration::from_millis(rng.u64(1..3000)))
        }
    }

    /// Runs a function as Lambda does: while its process lives, and at most until the time limit.
    pub async fn of<T>(self, limit: Duration, run: impl Future<Output = T>) -> RunEnd<T> {
        let (steps, time) = match self {
            Self::Complete => (u32::MAX, None),
            Self::Steps(steps) => (steps, None),
            Self::Time(time) => (u32::MAX, Some(time).filter(|time| *time < limit)),
        };
        let interruptible = Interruptible { steps, run: Box::pin(run) };
        match tokio::time::timeout(time.unwrap_or(limit), interruptible).await {
            Ok(Some(answer)) => RunEnd::Answer(answer),
            Ok(None) => RunEnd::Crash,
            Err(_) if time.is_some() => RunEnd::Crash,
            Err(_) => RunEnd::TimeLimit,
        }
    }
}

struct Interruptible<F> {
    steps: u32,
    run: Pin<Box<F>>,
}

impl<F: Future> Future for Interruptible<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.steps == 0 {
            return Poll::Ready(None);
        }
        self.steps -= 1;
        self.run.as_mut().poll(cx).map(Some)
    }
}
