//! Usage as CSV: a header row, and an event a row.
//!
//! A row becomes the fields that the same event has as JSON, and is read by the same readers. An empty cell is an absent
//! field.

use lambda::csv_file::{Columns, CsvFile, InvalidCsv, Row};
use serde_json::{Map, Value};

use crate::event::{MAX_EVENTS, ParsedEvent, Unreadable, read_fields};

/// The columns: the fields of an event, and tags.
const COLUMNS: Columns = Columns {
    required: &["license", "dimension", "quantity", "time", "key"],
    optional: &[REVISION],
    prefix: Some(TAG),
};

const REVISION: &str = "revision";

/// The prefix of a tag's column.
const TAG: &str = "tag:";

/// Reads the events of a file.
pub(crate) fn read(text: &str) -> Result<Vec<ParsedEvent>, InvalidCsv> {
    let file = CsvFile::read(text, &COLUMNS, MAX_EVENTS)?;
    let parsed = file.rows().map(|(line, row)| {
        let event = match row {
            Ok(row) => read_fields(&fields(row)),
            Err(wrong) => Err(Unreadable { code: "row_invalid", detail: wrong.to_string() }),
        };
        ParsedEvent { line: Some(line), event }
    });
    Ok(parsed.collect())
}

/// The fields of a row as an event in JSON has them.
fn fields(row: Row<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut tags = Map::new();
    for (column, cell) in row.cells().filter(|(_, cell)| !cell.is_empty()) {
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

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
