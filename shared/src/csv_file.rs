//! CSV files that sellers send: a header row, and a row a thing.
//!
//! What is wrong with a row is told of that row and its line. What could make a row vanish, such as a quote that is not
//! closed, is told of the file.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord};

use crate::http::shortened;

/// The columns of a kind of file, in any order.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// Those that must be there.
    pub required: &'static [&'static str],
    /// Those that may be there.
    pub optional: &'static [&'static str],
    /// What the names of further columns begin with.
    pub prefix: Option<&'static str>,
}

/// Why a file cannot be answered row by row.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCsv {
    /// Rows may be hidden in a field.
    #[error("line {0}: a quoted field is not closed, or goes on behind its closing quote")]
    Quote(usize),
    /// It is empty.
    #[error("there is no header row")]
    NoHeader,
    /// Columns are missing.
    #[error("the header row has no column {0}")]
    Missing(String),
    /// A column is none of those that are known.
    #[error("the column `{column}` is none of {known}")]
    Unknown {
        /// The column.
        column: String,
        /// Those that are known.
        known: String,
    },
    /// A column is there twice.
    #[error("the column `{0}` is there more than once")]
    Doubled(String),
    /// It has nothing but a header.
    #[error("there is no row below the header")]
    NoRows,
    /// It has more rows than are taken at once.
    #[error("there are {0} rows")]
    TooManyRows(usize),
    /// The reader cannot read it.
    #[error("it is not CSV")]
    Unreadable(#[from] csv::Error),
}

/// A row with another number of cells than the header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} has {cells} fields, and the header has {columns}")]
pub struct WrongLength {
    line: usize,
    cells: usize,
    columns: usize,
}

/// A file that could be read.
#[derive(Debug)]
pub struct CsvFile {
    header: StringRecord,
    rows: Vec<(usize, StringRecord)>,
}

/// A row of it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    header: &'a StringRecord,
    cells: &'a StringRecord,
}

impl CsvFile {
    /// Reads a file with 1 to `most` rows below its header; byte order marks before it are passed over.
    ///
    /// # Errors
    ///
    /// When it cannot be told which rows it has, or what their cells are.
    pub fn read(text: &str, columns: &Columns, most: usize) -> Result<Self, InvalidCsv> {
        // All of them: the reader passes over one by itself, and must see the text that is looked at here.
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

    /// The rows in order, each with the line that it begins in, from 1.
    pub fn rows(&self) -> impl Iterator<Item = (usize, Result<Row<'_>, WrongLength>)> {
        let header = &self.header;
        self.rows.iter().map(move |(line, cells)| {
            let wrong = WrongLength { line: *line, cells: cells.len(), columns: header.len() };
            (*line, if cells.len() == header.len() { Ok(Row { header, cells }) } else { Err(wrong) })
        })
    }
}

impl<'a> Row<'a> {
    /// Its cells, each behind the name of its column.
    pub fn cells(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.header.iter().zip(self.cells)
    }

    /// The cell of a column, if the file has that.
    pub fn cell(&self, column: &str) -> Option<&'a str> {
        self.cells().find(|(name, _)| *name == column).map(|(_, cell)| cell)
    }
}

impl Columns {
    /// Whether a header has the columns that it must have, none that is not known, and each once.
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
