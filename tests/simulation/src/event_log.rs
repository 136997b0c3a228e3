//! The log of a seed, in the order of the events. It is kept only if it was requested.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::time::actor;

/// The log of one seed. Clones write to the same log.
#[derive(Debug, Clone)]
pub struct EventLog {
    is_kept: bool,
    state: Arc<Mutex<LogState>>,
}

#[derive(Debug)]
struct LogState {
    actors: Vec<String>,
    lines: Vec<Line>,
    /// Long names with their short names.
    names: Vec<(String, String)>,
    /// Pairs of long names that belong to the same buyer.
    linked: Vec<(String, String)>,
}

#[derive(Debug)]
struct Line {
    at: Timestamp,
    actor: usize,
    text: String,
}

impl EventLog {
    /// Returns a log that is kept if `is_kept` is `true`, and otherwise discarded.
    pub fn new(is_kept: bool) -> Self {
        let actors = vec!["simulation".to_owned()];
        Self {
            is_kept,
            state: Arc::new(Mutex::new(LogState { actors, lines: Vec::new(), names: Vec::new(), linked: Vec::new() })),
        }
    }

    /// Returns `true` if the log is kept.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Adds an actor and returns its number.
    pub fn actor(&self, name: impl FnOnce() -> String) -> usize {
        if !self.is_kept {
            return 0;
        }
        let mut state = self.lock();
        state.actors.push(name());
        state.actors.len() - 1
    }

    /// Assigns a short name to a long one.
    pub fn name(&self, long: &str, short_name: impl FnOnce(usize) -> String) {
        let mut state = self.lock();
        if state.names.iter().all(|(known, _)| known != long) {
            let short_name = short_name(state.names.len() + 1);
            state.names.push((long.to_owned(), short_name));
        }
    }

    /// Joins two long names of the same buyer: [`text`](Self::text) includes the lines about both.
    pub fn link(&self, one: &str, other: &str) {
        self.lock().linked.push((one.to_owned(), other.to_owned()));
    }

    /// Returns the short name of a long one, or the long one if it has none.
    pub fn short_name(&self, long: &str) -> String {
        let state = self.lock();
        state.names.iter().find(|(known, _)| known == long).map_or(long, |(_, short_name)| short_name).to_owned()
    }

    /// Adds a line about the current actor.
    pub fn record(&self, at: Timestamp, text: impl FnOnce() -> String) {
        if self.is_kept {
            let line = Line { at, actor: actor(), text: text() };
            self.lock().lines.push(line);
        }
    }

    /// Returns the lines that contain one of these names or no long name, or all lines if `about` is empty.
    pub fn text(&self, about: &[String]) -> String {
        let state = self.lock();
        let mut about = about.to_vec();
        for (one, other) in &state.linked {
            if about.contains(one) || about.contains(other) {
                about.extend([one.clone(), other.clone()]);
            }
        }
        let mut text = String::new();
        for (long, short_name) in &state.names {
            let _ = writeln!(text, "{short_name} is {long}");
        }
        for line in &state.lines {
            let names = || state.names.iter().filter(|(long, _)| line.text.contains(long.as_str()));
            let is_about = about.is_empty() || names().count() == 0 || names().any(|(long, _)| about.contains(long));
            if !is_about {
                continue;
            }
            let mut text_of_line = line.text.clone();
            for (long, short_name) in &state.names {
                text_of_line = text_of_line.replace(long, short_name);
            }
            let at = line.at.strftime("%d %H:%M:%S%.3f");
            let actor = state.actors.get(line.actor).map_or("", String::as_str);
            let _ = writeln!(text, "{at}  {actor:<18} {text_of_line}");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
