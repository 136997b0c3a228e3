//! What happened, in the order in which it happened. Only a seed that is told again keeps its story.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::time::actor;

/// The story of one seed. Clones write the same one.
#[derive(Debug, Clone)]
pub struct Story {
    told: bool,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug)]
struct Inside {
    actors: Vec<String>,
    lines: Vec<Line>,
    /// Long names and the short ones that stand for them.
    names: Vec<(String, String)>,
    /// Long names that are about the same buyer.
    joined: Vec<(String, String)>,
}

#[derive(Debug)]
struct Line {
    at: Timestamp,
    actor: usize,
    text: String,
}

impl Story {
    /// A story that is told, or one that nobody hears.
    pub fn new(told: bool) -> Self {
        let actors = vec!["world".to_owned()];
        Self {
            told,
            inside: Arc::new(Mutex::new(Inside { actors, lines: Vec::new(), names: Vec::new(), joined: Vec::new() })),
        }
    }

    /// Whether anybody hears it.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Someone who acts in it.
    pub fn actor(&self, name: impl FnOnce() -> String) -> usize {
        if !self.told {
            return 0;
        }
        let mut inside = self.lock();
        inside.actors.push(name());
        inside.actors.len() - 1
    }

    /// A short name for a long one.
    pub fn call(&self, long: &str, short: impl FnOnce(usize) -> String) {
        let mut inside = self.lock();
        if inside.names.iter().all(|(known, _)| known != long) {
            let short = short(inside.names.len() + 1);
            inside.names.push((long.to_owned(), short));
        }
    }

    /// Two long names are about the same buyer: what is told of the one is told of the other.
    pub fn join(&self, one: &str, other: &str) {
        self.lock().joined.push((one.to_owned(), other.to_owned()));
    }

    /// The short name of a long one.
    pub fn short(&self, long: &str) -> String {
        let inside = self.lock();
        inside.names.iter().find(|(known, _)| known == long).map_or(long, |(_, short)| short).to_owned()
    }

    /// Tells what the actor at work does.
    pub fn tell(&self, at: Timestamp, text: impl FnOnce() -> String) {
        if self.told {
            let line = Line { at, actor: actor(), text: text() };
            self.lock().lines.push(line);
        }
    }

    /// The lines that name one of these, or no license at all; all of them if none is given.
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
