//! The output for operators and programs: tables and JSON on stdout, and progress on stderr.

use std::fmt;
use std::io::IsTerminal;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use terminal::{note, note_line};

/// The time from one update of the progress of a slow operation to the next.
const TICK: Duration = Duration::from_secs(1);

/// The time from one line of progress in a log to the next.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Prints a line on stdout.
pub(crate) fn say(text: impl fmt::Display) -> anyhow::Result<()> {
    Ok(terminal::say(text)?)
}

/// Prints JSON on stdout.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string_pretty(value)?)
}

/// A table whose columns are as wide as their content.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn of(columns: &[&str]) -> Self {
        Self(vec![columns.iter().map(|name| (*name).to_owned()).collect()])
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for (number, row) in self.0.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            let end = if number + 1 < self.0.len() { "\n" } else { "" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Replaces control characters, which a terminal would act on, with spaces.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Returns a member of a document by its JSON pointer; `-` if it has no value.
pub(crate) fn cell(document: &Value, path: &str) -> String {
    match document.pointer(path) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Formats a number with its noun, which gets an s unless the number is 1.
pub(crate) fn counted(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// Returns the time since a moment, in words.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    duration_text(now.duration_since(then))
}

/// Returns a duration in words.
fn duration_text(passed: SignedDuration) -> String {
    let passed = passed.max(SignedDuration::ZERO);
    match (passed.as_secs(), passed.as_mins(), passed.as_hours()) {
        (seconds, 0, _) => format!("{seconds} s"),
        (_, minutes, 0) => format!("{minutes} min"),
        (_, minutes, hours) if hours < 48 => format!("{hours} h {} min", minutes % 60),
        (_, _, hours) => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// The progress of a slow operation on stderr: a line that changes on a terminal, or a line from time to time in a log.
pub(crate) struct Progress {
    is_terminal: bool,
    shown: Option<Instant>,
    start: Instant,
}

impl Progress {
    pub(crate) fn begin() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), shown: None, start: Instant::now() }
    }

    /// Shows the progress.
    pub(crate) fn say(&mut self, text: &str) {
        if self.is_terminal {
            note(format_args!("\r\x1b[K{text}"));
        } else if self.shown.unwrap_or(self.start).elapsed() < LOG_INTERVAL {
            return;
        } else {
            note_line(text);
        }
        self.shown = Some(Instant::now());
    }

    /// Prints a line that stays.
    pub(crate) fn note(&self, text: &str) {
        let cleared = if self.is_terminal { "\r\x1b[K" } else { "" };
        note_line(format_args!("{cleared}{text}"));
    }

    /// Waits for a slow operation, and repeatedly shows its name and duration.
    pub(crate) async fn wait<T>(&mut self, what: &str, slow: impl Future<Output = T>) -> T {
        let (began, mut slow) = (Instant::now(), pin!(slow));
        loop {
            match tokio::time::timeout(TICK, &mut slow).await {
                Ok(done) => return done,
                Err(_) => self.say_since(what, began),
            }
        }
    }

    /// Shows an operation, and its duration since `began`.
    pub(crate) fn say_since(&mut self, what: &str, began: Instant) {
        let lasted = SignedDuration::try_from(began.elapsed()).unwrap_or_default();
        self.say(&format!("{what} (for {})", duration_text(lasted)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal && self.shown.is_some() {
            note("\r\x1b[K");
        }
    }
}

/// Asks the user at the terminal for confirmation. Fails unless the answer is yes.
pub(crate) fn ask(question: &str) -> anyhow::Result<()> {
    ensure!(std::io::stdin().is_terminal(), "{question} There is no terminal for the confirmation prompt: add --yes");
    note(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("it was not confirmed, so nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_their_content_and_control_characters_are_replaced() {
        let mut table = Table::of(&["A", "LONG"]);
        table.row(["äöü".to_owned(), "\x1b[2J".to_owned()]);
        assert_eq!(table.to_string(), "A    LONG\näöü   [2J");
    }

    #[test]
    fn a_count_of_one_is_singular() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "listing")), ["0 listings", "1 listing", "2 listings"]);
    }

    #[test]
    fn ages_are_formatted_in_two_units_at_most() {
        let then: Timestamp = "2026-11-10T09:00:00Z".parse().unwrap();
        let cases = [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_660, "1 h 1 min")];
        for (seconds, expected) in cases.into_iter().chain([(47 * 3600, "47 h 0 min"), (49 * 3600, "2 d 1 h")]) {
            assert_eq!(ago(then, then + SignedDuration::from_secs(seconds)), expected);
        }
    }
}
