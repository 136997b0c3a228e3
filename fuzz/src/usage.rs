//! The usage that the seller's application reports, as JSON and as CSV, which are two forms of the same report.

use std::collections::BTreeMap;

use ::usage::UsageApi;
use domain::usage::Quantity;
use serde_json::{Map, Value, json};

use crate::invocation::{Answer, TABLE, answer, event};
use crate::table::written;

/// The largest body that the function reads, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

fn report(content_type: &str, body: &[u8]) -> Answer {
    let event = event("POST", "/v1/usage", &[("content-type", content_type)], body);
    answer(async |config, clock, event| UsageApi::new(&config, TABLE, clock).handle(event).await, event)
}

/// Returns the result of each event, in the order of the request, or `None` if the whole request was refused.
fn results(answer: &Answer) -> Option<Vec<Value>> {
    let document = answer.document();
    match answer.status {
        200 => document["results"].as_array().cloned(),
        400 => None,
        status => panic!("usage is answered {status}"),
    }
}

/// Returns the written items without their random parts.
fn facts(answer: &Answer) -> BTreeMap<(String, String), Value> {
    let mut written = written(&answer.calls);
    for item in written.values_mut() {
        item.as_object_mut().expect("an item").remove("token");
    }
    written
}

/// Asserts that the stored quantities are in their normal form.
fn assert_quantities(answer: &Answer) {
    for ((pk, _), item) in written(&answer.calls) {
        if pk.starts_with("USAGE#") {
            let text = item["quantity"]["N"].as_str().or(item["quantity"]["S"].as_str()).expect("a quantity");
            let quantity: Quantity = text.parse().expect("a quantity of ours");
            assert_eq!(quantity.to_string(), text);
        }
    }
}

/// Fuzzes a JSON body. Every event has a result, in its position. The order of the events does not change the results.
pub fn usage_json(input: &[u8]) {
    let given = report("application/json", input);
    let Some(results) = results(&given) else { return };
    assert_quantities(&given);
    let document: Value = serde_json::from_slice(input).expect("it was read");
    let mut events = document["events"].as_array().expect("it was read").clone();
    assert_eq!(results.len(), events.len());
    events.reverse();
    let turned = report("application/json", json!({ "events": events }).to_string().as_bytes());
    let mut turned = self::results(&turned).expect("the same events");
    turned.reverse();
    assert_eq!(results, turned);
}

/// Fuzzes a quantity. As a string, as a number and in a CSV cell it is exactly the same quantity.
pub fn quantity(input: &[u8]) {
    let Some(text) = std::str::from_utf8(input).ok().filter(|text| text.parse::<Quantity>().is_ok()) else { return };
    let [before, behind] = [
        r#"{"events":[{"license":"l-1","dimension":"requests","time":"2026-11-10T09:20:00Z","key":"k","quantity":"#,
        "}]}",
    ];
    let file = format!("license,dimension,time,key,quantity\nl-1,requests,2026-11-10T09:20:00Z,k,{text}");
    let given = report("application/json", format!("{before}\"{text}\"{behind}").as_bytes());
    assert_eq!(results(&given).expect("an event"), [json!({ "status": "accepted" })]);
    assert_quantities(&given);
    let number = report("application/json", format!("{before}{text}{behind}").as_bytes());
    let cell = report("text/csv", file.as_bytes());
    for other in [number, cell] {
        assert_eq!(facts(&other), facts(&given));
    }
}

/// Fuzzes a CSV file. Every row has a result under its line. The same rows as JSON have the same results and write the
/// same items.
pub fn usage_csv(input: &[u8]) {
    let given = report("text/csv", input);
    let Some(results) = results(&given) else { return };
    let text = std::str::from_utf8(input).expect("nothing else is read");
    let records = records(text);
    let (header, rows) = records.split_first().expect("a header");
    assert_eq!(results.len(), rows.len());
    let lines: Vec<u64> = results.iter().map(|result| result["line"].as_u64().expect("a line")).collect();
    assert!(lines.is_sorted_by(|one, next| one < next) && lines.first() > Some(&1), "{lines:?}");

    let (mut events, mut expected) = (Vec::new(), Vec::new());
    for (row, mut result) in rows.iter().zip(results) {
        result.as_object_mut().expect("an object").remove("line");
        if row.len() == header.len() {
            events.push(as_json(header, row));
            expected.push(result);
        } else {
            assert_eq!(result["code"], "row_invalid");
        }
    }
    let body = json!({ "events": events }).to_string();
    if events.is_empty() || body.len() > LONGEST_BODY {
        return;
    }
    let same = report("application/json", body.as_bytes());
    assert_eq!(self::results(&same).expect("events"), expected);
    assert_eq!(facts(&same), facts(&given));
    assert_quantities(&given);
}

/// Converts a row to its JSON event.
fn as_json(header: &[String], row: &[String]) -> Value {
    let (mut event, mut tags) = (Map::new(), Map::new());
    for (column, cell) in header.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        if let Some(key) = column.strip_prefix("tag:") {
            tags.insert(key.to_owned(), json!(cell));
        } else if let (true, Ok(number)) = (column == "revision", serde_json::from_str::<serde_json::Number>(cell)) {
            event.insert(column.clone(), Value::Number(number));
        } else {
            event.insert(column.clone(), json!(cell));
        }
    }
    event.insert("tags".to_owned(), Value::Object(tags));
    Value::Object(event)
}

/// Parses the records of a correctly quoted CSV file (RFC 4180), independently of the function's own parser.
pub(crate) fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut is_begun = false;
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // Only a comma or the end of the line follows a closing quote: the function refuses any other file.
            '"' if field.is_empty() => {
                is_begun = true;
                while let Some(quoted) = characters.next() {
                    match quoted {
                        '"' if characters.peek() == Some(&'"') => field.extend(characters.next()),
                        '"' => break,
                        other => field.push(other),
                    }
                }
            }
            ',' => {
                is_begun = true;
                record.push(std::mem::take(&mut field));
            }
            '\r' | '\n' => {
                if is_begun {
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
                is_begun = false;
            }
            other => {
                is_begun = true;
                field.push(other);
            }
        }
    }
    if is_begun {
        record.push(field);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_input_is_accepted() {
        let json = report("application/json", include_bytes!("../corpus/usage_json/open"));
        let csv = report("text/csv", include_bytes!("../corpus/usage_csv/late"));
        for (answer, items) in [(json, 3), (csv, 3)] {
            let results = results(&answer).unwrap();
            assert!(results.iter().all(|result| result["status"] == "accepted"), "{results:?}");
            assert_eq!(facts(&answer).len(), items);
        }
    }
}
