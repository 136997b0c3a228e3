//! CSV files that sellers send: a header row, and one row for each item.
//!
//! A problem with a row is reported for that row and its line. A problem that could hide a row, such as a quote that is
//! not closed, is reported for the whole file.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord};

use crate::http::shortened;

/// The columns of a kind of file, in any order.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// The columns that must be there.
    pub required: &'static [&'static str],
    /// The columns that may be there.
    pub optional: &'static [&'static str],
    /// The prefix of the names of further columns.
    pub prefix: Option<&'static str>,
}

/// The reason why a file cannot be answered row by row.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCsv {
    /// A field is quoted wrongly and may hide rows.
    #[error("line {0}: a quoted field is not closed, or text follows its closing quote")]
    Quote(usize),
    /// The file is empty.
    #[error("the file has no header row")]
    NoHeader,
    /// Columns are missing.
    #[error("the header row has no column {0}")]
    Missing(String),
    /// A column is unknown.
    #[error("the column `{column}` is unknown; the columns are {known}")]
    Unknown {
        /// The column.
        column: String,
        /// The known columns.
        known: String,
    },
    /// A column occurs more than once.
    #[error("the header row has the column `{0}` more than once")]
    Doubled(String),
    /// The file has only a header.
    #[error("the file has no row below the header")]
    NoRows,
    /// The file has more rows than the limit.
    #[error("the file has {0} rows")]
    TooManyRows(usize),
    /// The CSV reader cannot read the file.
    #[error("the file is not CSV")]
    Unreadable(#[from] csv::Error),
}

/// A row whose number of cells differs from that of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} has {cells} fields, and the header has {columns}")]
pub struct WrongLength {
    line: usize,
    cells: usize,
    columns: usize,
}

/// A CSV file that was read.
#[derive(Debug)]
pub struct CsvFile {
    header: StringRecord,
    rows: Vec<(usize, StringRecord)>,
}

/// A row of a [`CsvFile`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    header: &'a StringRecord,
    cells: &'a StringRecord,
}

impl CsvFile {
    /// Reads a file with 1 to `most` rows below its header. Byte order marks at its start are skipped.
    ///
    /// # Errors
    ///
    /// Fails when the file is not CSV, a field is quoted wrongly, the header is wrong, or there is no row or more than
    /// `most`.
    pub fn read(text: &str, columns: &Columns, most: usize) -> Result<Self, InvalidCsv> {
        // All byte order marks: the reader skips one by itself, and must read the same text as the checks here.
        let text = text.trim_start_matches('\u{feff}');
        let lines = Lines::of(text);
        if let Some(at) = misquoted(text) {
            return Err(InvalidCsv::Quote(lines.line(at)));
        }
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut records = reader.records();
        let header = records.next().ok_or(InvalidCsv::NoHeader)??;
        columns.check(&header)?;
        let rows: Vec<StringRecord> = records.collect::<Result<_, _>>()?;
        match rows.len() {
            0 => Err(InvalidCsv::NoRows),
            count if count > most => Err(InvalidCsv::TooManyRows(count)),
            _ => {
                let rows = rows.into_iter().map(|row| (lines.line(beginning(text, &row)), row)).collect();
                Ok(Self { header, rows })
            }
        }
    }

    /// Returns the rows in order, each with the line in which it starts, from 1.
    pub fn rows(&self) -> impl Iterator<Item = (usize, Result<Row<'_>, WrongLength>)> {
        let header = &self.header;
        self.rows.iter().map(move |(line, cells)| {
            let wrong = WrongLength { line: *line, cells: cells.len(), columns: header.len() };
            (*line, if cells.len() == header.len() { Ok(Row { header, cells }) } else { Err(wrong) })
        })
    }
}

impl<'a> Row<'a> {
    /// Returns the cells, each with the name of its column.
    pub fn cells(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.header.iter().zip(self.cells)
    }

    /// Returns the cell of a column, if the file has that column.
    pub fn cell(&self, column: &str) -> Option<&'a str> {
        self.cells().find(|(name, _)| *name == column).map(|(_, cell)| cell)
    }
}

impl Columns {
    /// Checks that a header has every required column, no unknown column, and no column twice.
    fn check(&self, header: &StringRecord) -> Result<(), InvalidCsv> {
        let mut seen = BTreeSet::new();
        for column in header {
            let below = |prefix| column.strip_prefix(prefix).is_some_and(|rest: &str| !rest.is_empty());
            let is_known = self.required.contains(&column) || self.optional.contains(&column);
            if !is_known && !self.prefix.is_some_and(below) {
                return Err(InvalidCsv::Unknown { column: shortened(column), known: self.to_string() });
            }
            if !seen.insert(column) {
                return Err(InvalidCsv::Doubled(shortened(column)));
            }
        }
        let missing: Vec<&str> = self.required.iter().filter(|column| !seen.contains(*column)).copied().collect();
        if missing.is_empty() { Ok(()) } else { Err(InvalidCsv::Missing(missing.join(", "))) }
    }
}

impl std::fmt::Display for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let further = self.prefix.map(|prefix| format!("{prefix}<key>"));
        let all: Vec<&str> = self.required.iter().chain(self.optional).copied().chain(further.as_deref()).collect();
        match all.split_last() {
            Some((last, others)) if !others.is_empty() => write!(f, "{} and {last}", others.join(", ")),
            _ => f.write_str(&all.concat()),
        }
    }
}

/// Returns the offset at which a quoted field is not closed, or continues after its closing quote.
///
/// The reader reads either as a longer field, which may swallow the rows after it: these would get no answer.
fn misquoted(text: &str) -> Option<usize> {
    #[derive(Clone, Copy)]
    enum At {
        Start,
        Plain,
        Quoted {
            since: usize,
        },
        /// After a quote in a quoted field: the end of the field, or the first of two quotes that stand for one.
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

/// Returns the offset at which a row starts. The reader's position is after the previous row, where blank lines may
/// follow.
fn beginning(text: &str, row: &StringRecord) -> usize {
    let behind = row.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let blank = text.bytes().skip(behind).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    behind + blank
}

/// The offsets at which the lines of a text start, as an editor counts lines.
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

    /// Returns the number of the line that contains a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        self.0.partition_point(|begins| *begins <= byte)
    }
}
