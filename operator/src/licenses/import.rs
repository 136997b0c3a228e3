//! Imports customers from a file through the API: 200 rows a request. Reports the result of each row with its line in
//! the file, also if the import breaks off.

use std::path::Path;

use anyhow::{Context, ensure};
use csv::ReaderBuilder;
use http::Method;
use lambda::csv_file::{Columns, CsvFile};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{Api, ApiArguments};
use crate::print::{Progress, Table, cell, say, say_json};

/// The most rows of one request.
const MOST_ROWS: usize = 200;

/// The columns. The file may have any others: the API reports those that it does not know.
const COLUMNS: Columns = Columns { required: &["product", "tenant"], optional: &[], prefix: Some("") };

/// The result of importing the file.
#[derive(Debug, Default, Serialize)]
struct Imported {
    dry_run: bool,
    imported: u64,
    unchanged: u64,
    refused: u64,
    /// The rows that may or may not be imported: the API did not confirm or did not answer them.
    unconfirmed: u64,
    /// The rows that are not imported because the import broke off before them.
    not_imported: u64,
    results: Vec<Value>,
}

pub(super) async fn run(file: &Path, dry_run: bool, api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8: save it as CSV in UTF-8"))?;
    let parts = parts(&text).with_context(|| format!("{name} cannot be imported"))?;
    let api = api.api().await?;
    let mut imported = Imported { dry_run, ..Imported::default() };
    let sent = send(&parts, &api, &mut imported).await;
    if json {
        say_json(&imported)?;
    } else {
        say(table(&imported.results))?;
        say(imported.summary())?;
    }
    sent.with_context(|| imported.describe_stop())?;
    ensure!(imported.unconfirmed == 0 && imported.not_imported == 0, "{}", imported.describe_stop());
    ensure!(imported.refused == 0, "{} rows were refused: fix them, and import the file again", imported.refused);
    Ok(())
}

impl Imported {
    /// Counts a row under its status, and keeps its result.
    fn add(&mut self, line: usize, mut result: Value) {
        let count = match cell(&result, "/status").as_str() {
            "imported" => &mut self.imported,
            "unchanged" => &mut self.unchanged,
            "refused" => &mut self.refused,
            "not_imported" => &mut self.not_imported,
            _ => &mut self.unconfirmed,
        };
        *count += 1;
        if let Some(row) = result.as_object_mut() {
            row.insert("line".to_owned(), line.into());
        }
        self.results.push(result);
    }

    fn summary(&self) -> String {
        let Self { dry_run, imported, unchanged, refused, unconfirmed, not_imported, .. } = self;
        let which = if *dry_run { "Rows that would be imported" } else { "Rows imported" };
        let counts = format!("{which}: {imported}, unchanged: {unchanged}, refused: {refused}");
        match (unconfirmed, not_imported) {
            (0, 0) => format!("{counts}."),
            (unconfirmed, not_imported) => {
                format!("{counts}, not confirmed: {unconfirmed}, not imported: {not_imported}.")
            }
        }
    }

    /// Describes what an import that broke off leaves behind, and what to do.
    fn describe_stop(&self) -> String {
        let answered = self.imported + self.unchanged + self.refused;
        let begin = format!("the import stopped after {answered} of {} rows", self.results.len());
        if self.dry_run {
            return format!("{begin}. A dry run imports nothing: repeat the command");
        }
        let lines = |status: &[&str]| {
            let mut rows = self.results.iter().filter(|result| status.contains(&cell(result, "/status").as_str()));
            let first = rows.next().map(|row| cell(row, "/line")).unwrap_or_default();
            rows.next_back()
                .map_or_else(|| format!("line {first}"), |last| format!("lines {first} to {}", cell(last, "/line")))
        };
        let mut parts = vec![begin];
        if self.unconfirmed > 0 {
            parts.push(format!("{} may be imported ({})", self.unconfirmed, lines(&["retry", "unanswered"])));
        }
        if self.not_imported > 0 {
            parts.push(format!("{} are not imported ({})", self.not_imported, lines(&["not_imported"])));
        }
        format!("{}. Import the same file again: that is safe, because imported rows stay unchanged", parts.join(", "))
    }
}

/// A part of the file that one request takes.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// The lines of the file in which its rows start.
    lines: Vec<usize>,
    /// The header, and the rows.
    text: String,
}

/// Splits the file into parts, each with the header. Fails on anything that could hide rows, before anything is sent.
fn parts(text: &str) -> anyhow::Result<Vec<Part>> {
    let text = text.trim_start_matches('\u{feff}');
    let file = CsvFile::read(text, &COLUMNS, usize::MAX)?;
    let lines: Vec<usize> = file.rows().map(|(line, _)| line).collect();
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut begins = Vec::new();
    for record in reader.records().skip(1) {
        let at = record?.position().map(csv::Position::byte).and_then(|at| usize::try_from(at).ok());
        begins.push(at.context("the position of a row is unknown")?);
    }
    let header = begins.first().and_then(|first| text.get(..*first)).unwrap_or_default();
    let part = |(number, rows): (usize, &[usize])| {
        let next = begins.get((number + 1) * MOST_ROWS).copied().unwrap_or(text.len());
        let first = rows.first().copied().unwrap_or_default();
        let rows = text.get(first..next).unwrap_or_default();
        let lines = lines.iter().skip(number * MOST_ROWS).take(MOST_ROWS).copied().collect();
        Part { lines, text: format!("{header}{rows}") }
    };
    Ok(begins.chunks(MOST_ROWS).enumerate().map(part).collect())
}

/// Sends the parts in order, and adds the results of their rows. After the first part that is not answered in full, the
/// others are not sent.
async fn send(parts: &[Part], api: &Api, imported: &mut Imported) -> anyhow::Result<()> {
    let mut progress = Progress::begin();
    let mut outcome = Ok(());
    for part in parts {
        let has_stopped = outcome.is_err() || imported.unconfirmed > 0;
        let results = match has_stopped {
            true => part.without_results("not_imported"),
            false => post(part, api, imported.dry_run).await.unwrap_or_else(|(status, error)| {
                outcome = Err(error);
                part.without_results(status)
            }),
        };
        for (line, result) in part.lines.iter().zip(results) {
            imported.add(*line, result);
        }
        progress.say(&format!("Sent {} rows so far", imported.results.len()));
    }
    outcome
}

/// Sends one part. Without results, returns the reason, and the status that its rows get.
async fn post(part: &Part, api: &Api, dry_run: bool) -> Result<Vec<Value>, (&'static str, anyhow::Error)> {
    let path = format!("/v1/imports?dry_run={dry_run}");
    let unanswered = |error| ("unanswered", error);
    let answer = api.ask(Method::POST, &path, "text/csv; charset=utf-8", &part.text).await.map_err(unanswered)?;
    let status = if answer.status.is_client_error() { "not_imported" } else { "unanswered" };
    let document = api.read(answer).map_err(|error| (status, error))?;
    let mut results = document.get("results").and_then(Value::as_array).cloned().unwrap_or_default();
    // A row that the answer leaves out may be imported nevertheless.
    results.resize_with(part.lines.len(), || json!({ "status": "unanswered" }));
    Ok(results)
}

impl Part {
    /// Returns the results of rows of which only a status is known.
    fn without_results(&self, status: &str) -> Vec<Value> {
        vec![json!({ "status": status }); self.lines.len()]
    }
}

fn table(results: &[Value]) -> Table {
    let mut table = Table::of(&["LINE", "STATUS", "LICENSE", "BILLED FROM", "MOVES AT", "PROBLEM"]);
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
    fn a_long_file_is_sent_in_parts_with_the_lines_of_their_rows() {
        for end in ["\n", "\r\n"] {
            let rows: Vec<String> = (0..450).map(|row| format!("p,t{row},\"a{end}b\"")).collect();
            let text = format!("\u{feff}product,tenant,company{end}{}{end}", rows.join(end));
            let parts = parts(&text).unwrap();
            let lines: Vec<usize> = parts.iter().map(|part| part.lines[0]).collect();
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
