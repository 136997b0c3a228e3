//! The log of a seed, in the order of the events. It is kept only if the story was requested.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::time::actor;

/// The story of one seed. Clones write to the same story.
#[derive(Debug, Clone)]
pub struct Story {
    told: bool,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug)]
struct Inside {
    actors: Vec<String>,
    lines: Vec<Line>,
    /// Long names with their short names.
    names: Vec<(String, String)>,
    /// Pairs of long names that belong to the same buyer.
    joined: Vec<(String, String)>,
}

#[derive(Debug)]
struct Line {
    at: Timestamp,
    actor: usize,
    text: String,
}

impl Story {
    /// Returns a story that is kept if `told` is `true`, and otherwise discarded.
    pub fn new(told: bool) -> Self {
        let actors = vec!["world".to_owned()];
        Self {
            told,
            inside: Arc::new(Mutex::new(Inside { actors, lines: Vec::new(), names: Vec::new(), joined: Vec::new() })),
        }
    }

    /// Returns `true` if the story is kept.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Adds an actor and returns its number.
    pub fn actor(&self, name: impl FnOnce() -> String) -> usize {
        if !self.told {
            return 0;
        }
        let mut inside = self.lock();
        inside.actors.push(name());
        inside.actors.len() - 1
    }

    /// Assigns a short name to a long one.
    pub fn call(&self, long: &str, short: impl FnOnce(usize) -> String) {
        let mut inside = self.lock();
        if inside.names.iter().all(|(known, _)| known != long) {
            let short = short(inside.names.len() + 1);
            inside.names.push((long.to_owned(), short));
        }
    }

    /// Joins two long names of the same buyer: [`text`](Self::text) includes the lines about both.
    pub fn join(&self, one: &str, other: &str) {
        self.lock().joined.push((one.to_owned(), other.to_owned()));
    }

    /// Returns the short name of a long one, or the long one if it has none.
    pub fn short(&self, long: &str) -> String {
        let inside = self.lock();
        inside.names.iter().find(|(known, _)| known == long).map_or(long, |(_, short)| short).to_owned()
    }

    /// Adds a line about the current actor.
    pub fn tell(&self, at: Timestamp, text: impl FnOnce() -> String) {
        if self.told {
            let line = Line { at, actor: actor(), text: text() };
            self.lock().lines.push(line);
        }
    }

    /// Returns the lines that contain one of these names or no long name, or all lines if `about` is empty.
    pub fn text(&self, about: &[String]) -> String {
        let inside = self.lock();
        let mut about = about.to_vec();
        for (one, other) in &inside.joined {
            if about.contains(one) || about.contains(other) {
                about.extend([one.clone(), other.clone()]);
            }
        }
        let mut text = String::new();
        for (long, short) in &inside.names {
            let _ = writeln!(text, "{short} is {long}");
        }
        for line in &inside.lines {
            let names = || inside.names.iter().filter(|(long, _)| line.text.contains(long.as_str()));
            let is_about = about.is_empty() || names().count() == 0 || names().any(|(long, _)| about.contains(long));
            if !is_about {
                continue;
            }
            let mut told = line.text.clone();
            for (long, short) in &inside.names {
                told = told.replace(long, short);
            }
            let at = line.at.strftime("%d %H:%M:%S%.3f");
            let actor = inside.actors.get(line.actor).map_or("", String::as_str);
            let _ = writeln!(text, "{at}  {actor:<18} {told}");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
