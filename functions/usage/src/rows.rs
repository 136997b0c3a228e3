//! Usage as CSV: a header row, and an event a row.
//!
//! A row becomes the fields that the same event has as JSON, and is read by the same readers. A cell without a text is
//! a field that is not there.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use crate::body::{Brought, MOST_EVENTS};
use crate::event::{Unreadable, read_fields, shortened};

/// The columns that must be there, in any order.
const REQUIRED: [&str; 5] = ["license", "dimension", "quantity", "time", "key"];

/// The column that may be there, besides those of tags.
const REVISION: &str = "revision";

/// What the name of a tag's column begins with.
const TAG: &str = "tag:";

/// Why a file has no events to answer one by one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidCsv {
    #[error("line {0}: a quoted field is not closed, or goes on behind its closing quote")]
    Quote(usize),
    #[error("there is no header row")]
    NoHeader,
    #[error("the header row has no column {0}")]
    Missing(String),
    #[error("the column `{0}` is none of {required}, {REVISION} and {TAG}<key>", required = REQUIRED.join(", "))]
    Unknown(String),
    #[error("the column `{0}` is there more than once")]
    Doubled(String),
    #[error("there is no row below the header")]
    NoRows,
    #[error("there are {0} rows")]
    TooManyRows(usize),
    #[error("it is not CSV")]
    Unreadable(#[from] csv::Error),
}

/// Reads the events of a file; a byte order mark before it is passed over.
pub(crate) fn read(text: &str) -> Result<Vec<Brought>, InvalidCsv> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text);
    if let Some(at) = misquoted(text) {
        return Err(InvalidCsv::Quote(lines.line(at)));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records();
    let header = records.next().ok_or(InvalidCsv::NoHeader)??;
    check(&header)?;
    let rows: Vec<StringRecord> = records.collect::<Result<_, _>>()?;
    match rows.len() {
        0 => Err(InvalidCsv::NoRows),
        1..=MOST_EVENTS => {
            Ok(rows.iter().map(|row| read_row(&header, row, lines.line(beginning(text, row)))).collect())
        }
        more => Err(InvalidCsv::TooManyRows(more)),
    }
}

/// Whether the header has the columns that it must have, and each once.
fn check(header: &StringRecord) -> Result<(), InvalidCsv> {
    let mut seen = BTreeSet::new();
    for column in header {
        let is_tag = column.strip_prefix(TAG).is_some_and(|key| !key.is_empty());
        if !is_tag && column != REVISION && !REQUIRED.contains(&column) {
            return Err(InvalidCsv::Unknown(shortened(column)));
        }
        if !seen.insert(column) {
            return Err(InvalidCsv::Doubled(shortened(column)));
        }
    }
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|column| !seen.contains(column)).collect();
    if missing.is_empty() { Ok(()) } else { Err(InvalidCsv::Missing(missing.join(", "))) }
}

fn read_row(header: &StringRecord, row: &StringRecord, line: usize) -> Brought {
    let event = if row.len() == header.len() {
        read_fields(&fields(header, row))
    } else {
        let detail = format!("line {line} has {} fields, and the header has {}", row.len(), header.len());
        Err(Unreadable { code: "row_invalid", detail })
    };
    Brought { line: Some(line), event }
}

/// The fields of a row as an event in JSON has them.
fn fields(header: &StringRecord, row: &StringRecord) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut tags = Map::new();
    for (column, cell) in header.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        match column.strip_prefix(TAG) {
            Some(key) => tags.insert(key.to_owned(), cell.into()),
            None if column == REVISION => fields.insert(column.to_owned(), number(cell)),
            None => fields.insert(column.to_owned(), cell.into()),
        };
    }
    fields.insert("tags".to_owned(), tags.into());
    fields
}

/// The number that a cell holds, written as in JSON; what is none stays a text, for the reader of the field to judge.
fn number(cell: &str) -> Value {
    serde_json::from_str::<serde_json::Number>(cell).map_or_else(|_| cell.into(), Value::Number)
}

/// Where a quoted field is not closed, or goes on behind its closing quote.
///
/// The reader takes either for a longer field, which may swallow rows that follow: they would be answered by nothing.
fn misquoted(text: &str) -> Option<usize> {
    #[derive(Clone, Copy)]
    enum At {
        Start,
        Plain,
        Quoted {
            since: usize,
        },
        /// Behind a quote in a quoted field: its end, or the first of two that stand for one.
        Quote {
            since: usize,
        },
    }
    let mut state = At::Start;
    for (at, byte) in text.bytes().enumerate() {
        state = match (state, byte) {
            (At::Start, b'"') => At::Quoted { since: at },
            (At::Quoted { since }, b'"') => At::Quote { since },
            (At::Quote { since }, b'"') => At::Quoted { since },
            (At::Quoted { since }, _) => At::Quoted { since },
            (At::Start | At::Plain | At::Quote { .. }, b',' | b'\r' | b'\n') => At::Start,
            (At::Quote { .. }, _) => return Some(at),
            (At::Start | At::Plain, _) => At::Plain,
        };
    }
    match state {
        At::Quoted { since } => Some(since),
        At::Start | At::Plain | At::Quote { .. } => None,
    }
}

/// Where a row begins: the reader's position is behind the row before, and blank lines may follow there.
fn beginning(text: &str, row: &StringRecord) -> usize {
    let behind = row.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let blank = text.bytes().skip(behind).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    behind + blank
}

/// Where the lines of a text begin, as an editor counts them.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let is_end = |(at, byte): &(usize, u8)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let ends = text.bytes().enumerate().filter(is_end);
        Self([0].into_iter().chain(ends.map(|(at, _)| at + 1)).collect())
    }

    /// The number of the line that a byte is in, from 1.
    fn line(&self, byte: usize) -> usize {
        self.0.partition_point(|begins| *begins <= byte)
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
