//! Customers from a file, taken over by the API: 200 rows a request, and what became of each with its line in the file.

use std::path::Path;

use anyhow::{Context, ensure};
use csv::ReaderBuilder;
use serde::Serialize;
use serde_json::Value;
use stallkeeper::csv_file::{Columns, CsvFile};

use crate::api::{Api, ApiArguments};
use crate::print::{Progress, Table, cell, say, say_json};

/// How many rows a request takes.
const MOST_ROWS: usize = 200;

/// Any column may be there besides these: the API says which it does not know.
const COLUMNS: Columns = Columns { required: &["product", "tenant"], optional: &[], prefix: Some("") };

/// What became of the file.
#[derive(Debug, Default, Serialize)]
struct Imported {
    dry_run: bool,
    imported: u64,
    unchanged: u64,
    refused: u64,
    results: Vec<Value>,
}

pub(super) async fn run(file: &Path, dry_run: bool, api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8: save it as CSV UTF-8"))?;
    let parts = parts(&text).with_context(|| format!("{name} cannot be imported"))?;
    let api = api.api().await?;
    let mut imported = Imported { dry_run, ..Imported::default() };
    let sent = send(&parts, &api, &mut imported).await;
    if json {
        say_json(&imported)?;
    } else if !imported.results.is_empty() {
        say(table(&imported.results))?;
        let Imported { imported, unchanged, refused, .. } = imported;
        let would = if dry_run { "would be " } else { "" };
        say(format!("{imported} {would}imported, {unchanged} unchanged, {refused} refused"))?;
    }
    sent.with_context(|| match imported.results.len() {
        0 => "nothing was imported".to_owned(),
        rows => format!("{rows} rows were answered, and the rest was not: the same file again is safe"),
    })?;
    ensure!(imported.refused == 0, "{} rows were refused: mend them, and send the same file again", imported.refused);
    Ok(())
}

/// A part of the file that one request takes.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// The line of the file that its first row begins in.
    line: usize,
    /// The header, and the rows.
    text: String,
}

/// The file in parts, each with the header. What could hide rows is told before anything is sent.
fn parts(text: &str) -> anyhow::Result<Vec<Part>> {
    let text = text.trim_start_matches('\u{feff}');
    let file = CsvFile::read(text, &COLUMNS, usize::MAX)?;
    let lines: Vec<usize> = file.rows().map(|(line, _)| line).collect();
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut begins = Vec::new();
    for record in reader.records().skip(1) {
        let at = record?.position().map(csv::Position::byte).and_then(|at| usize::try_from(at).ok());
        begins.push(at.context("a row is nowhere")?);
    }
    let header = begins.first().and_then(|first| text.get(..*first)).unwrap_or_default();
    let part = |(number, rows): (usize, &[usize])| {
        let next = begins.get((number + 1) * MOST_ROWS).copied().unwrap_or(text.len());
        let first = rows.first().copied().unwrap_or_default();
        let rows = text.get(first..next).unwrap_or_default();
        Part { line: lines.get(number * MOST_ROWS).copied().unwrap_or_default(), text: format!("{header}{rows}") }
    };
    Ok(begins.chunks(MOST_ROWS).enumerate().map(part).collect())
}

/// Sends the parts in order, and adds up what became of them.
async fn send(parts: &[Part], api: &Api, imported: &mut Imported) -> anyhow::Result<()> {
    let mut progress = Progress::begin();
    for part in parts {
        let answer = api.post_csv(&format!("/v1/imports?dry_run={}", imported.dry_run), &part.text).await?;
        let count = |member: &str| answer.get(member).and_then(Value::as_u64).unwrap_or_default();
        imported.imported += count("imported");
        imported.unchanged += count("unchanged");
        imported.refused += count("refused");
        let results = answer.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let line_of = |result: &Value| result.get("line").and_then(Value::as_u64).unwrap_or_default();
        let first = results.first().map(line_of).unwrap_or_default();
        for result in results {
            let mut result = result.clone();
            let line = (line_of(&result) + part.line as u64).saturating_sub(first);
            if let Some(line_in_file) = result.get_mut("line") {
                *line_in_file = line.into();
            }
            imported.results.push(result);
        }
        progress.say(&format!("{} rows so far", imported.results.len()));
    }
    Ok(())
}

fn table(results: &[Value]) -> Table {
    let mut table = Table::of(&["LINE", "STATUS", "LICENSE", "BILLED FROM", "MOVES AT", "WHAT IS WRONG"]);
    for result in results {
        let wrong = ["/code", "/detail", "/action"].map(|member| cell(result, member));
        let wrong = if wrong.iter().all(|part| part == "-") { "-".to_owned() } else { wrong.join(": ") };
        let columns = ["/line", "/status", "/license", "/metered_from", "/moves_at"];
        table.row(columns.into_iter().map(|column| cell(result, column)).chain([wrong]));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_sent_in_parts_that_know_their_lines() {
        for end in ["\n", "\r\n"] {
            let rows: Vec<String> = (0..450).map(|row| format!("p,t{row},\"a{end}b\"")).collect();
            let text = format!("\u{feff}product,tenant,company{end}{}{end}", rows.join(end));
            let parts = parts(&text).unwrap();
            let lines: Vec<usize> = parts.iter().map(|part| part.line).collect();
            assert_eq!(lines, [2, 402, 802]);
            for (number, part) in parts.iter().enumerate() {
                let file = CsvFile::read(&part.text, &COLUMNS, MOST_ROWS).unwrap();
                let tenants: Vec<String> =
                    file.rows().map(|(_, row)| row.unwrap().cell("tenant").unwrap().to_owned()).collect();
                let expected: Vec<String> =
                    (number * 200..450.min(number * 200 + 200)).map(|row| format!("t{row}")).collect();
                assert_eq!(tenants, expected);
            }
        }
        let hidden = "product,tenant\np,\"t\np,t\n";
        assert!(format!("{:#}", parts(hidden).unwrap_err()).contains("line 2"), "{:?}", parts(hidden));
    }
}
