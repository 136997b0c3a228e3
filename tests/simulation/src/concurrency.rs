//! The reserved concurrency of a function.

use std::sync::atomic::{AtomicU32, Ordering};

/// The executions of a function with a reserved concurrency of 1.
#[derive(Debug, Default)]
pub struct Concurrency {
    under_way: AtomicU32,
}

/// An execution that is under way.
#[derive(Debug)]
pub struct Execution<'a>(&'a Concurrency);

impl Drop for Execution<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Concurrency {
    /// Returns `true` if an execution is under way.
    pub fn is_taken(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Starts an execution, whether or not another is under way.
    pub fn start(&self) -> Execution<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Execution(self)
    }
}
