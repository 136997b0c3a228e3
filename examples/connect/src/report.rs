//! Reports of usage.

use std::fs::{OpenOptions, read_to_string, write};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stallkeeper::Stallkeeper;

const OUTBOX: &str = "outbox.jsonl";
const PROBLEMS: &str = "problems.jsonl";

/// Writes usage to the outbox, with the key and the time that it is always sent with.
pub(crate) fn used(license: &str, dimension: &str, quantity: &str) -> anyhow::Result<()> {
    let (time, key) = (Timestamp::now(), format!("{:032x}", fastrand::u128(..)));
    append(
        OUTBOX,
        &json!({ "license": license, "dimension": dimension, "quantity": quantity, "time": time, "key": key }),
    )
}

/// Sends the events in the outbox. If the program stops half-way, all of them are sent again, and billed once.
pub(crate) async fn send(stallkeeper: &Stallkeeper) -> anyhow::Result<()> {
    let lines = if Path::new(OUTBOX).exists() { read_to_string(OUTBOX)? } else { String::new() };
    let events: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut left = String::new();
    let mut again = 0;
    for batch in events.chunks(500) {
        let answer = stallkeeper.call(Method::POST, "/v1/usage", &[], &json!({ "events": batch })).await?;
        let results = answer.get("results").and_then(Value::as_array).context("there are no results")?;
        for (event, result) in batch.iter().zip(results) {
            let text = |name| result.get(name).and_then(Value::as_str).unwrap_or_default();
            match (text("status"), text("code")) {
                ("retry", _) | (_, "time_in_future") => {
                    left += &format!("{event}\n");
                    again += 1;
                }
                ("conflict" | "refused", _) => append(PROBLEMS, &json!({ "event": event, "result": result }))?,
                _ => {}
            }
        }
    }
    write(OUTBOX, left)?;
    println!("{} sent, {again} to be sent again", events.len());
    Ok(())
}

fn append(file: &str, line: &Value) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    Ok(writeln!(file, "{line}")?)
}
