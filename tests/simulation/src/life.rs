//! How long a run of a function lives: to its end, to its time limit, or to the moment at which its process dies.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fastrand::Rng;

/// When a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Not before it is done.
    Whole,
    /// When it would go on for the so-manieth time: what it waited for last was done, and nothing follows it.
    Steps(u32),
    /// After this time, whatever it waits for.
    Time(Duration),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<T> {
    /// With an answer.
    Answer(T),
    /// Its process died.
    Crash,
    /// It took longer than it may, and was stopped.
    TimeLimit,
}

impl Life {
    /// A life that is cut short with that chance, early or late within about so many steps.
    pub fn drawn(rng: &mut Rng, chance: f64, steps: u32) -> Self {
        if rng.f64() >= chance {
            return Self::Whole;
        }
        if rng.bool() {
            // As often in the first ten steps as in the last hundred.
            let most = f64::from(steps).ln();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
            let step = (rng.f64() * most).exp() as u32;
            Self::Steps(step.max(1))
        } else {
            Self::Time(Duration::from_millis(rng.u64(1..3000)))
        }
    }

    /// Runs a function as Lambda does: as long as its process lives, and at most so long.
    pub async fn of<T>(self, limit: Duration, run: impl Future<Output = T>) -> End<T> {
        let (steps, time) = match self {
            Self::Whole => (u32::MAX, None),
            Self::Steps(steps) => (steps, None),
            Self::Time(time) => (u32::MAX, Some(time).filter(|time| *time < limit)),
        };
        let mortal = Mortal { steps, run: Box::pin(run) };
        match tokio::time::timeout(time.unwrap_or(limit), mortal).await {
            Ok(Some(answer)) => End::Answer(answer),
            Ok(None) => End::Crash,
            Err(_) if time.is_some() => End::Crash,
            Err(_) => End::TimeLimit,
        }
    }
}

struct Mortal<F> {
    steps: u32,
    run: Pin<Box<F>>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.steps == 0 {
            return Poll::Ready(None);
        }
        self.steps -= 1;
        self.run.as_mut().poll(cx).map(Some)
    }
}
