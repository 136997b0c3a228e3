//! Publishes events to the seller's application again.

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{Api, ApiArguments};
use crate::print::{Progress, say, say_json};
use crate::signed::encoded;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish events again: of a license, or of all licenses in a period. Subscribers recognize the events by their
    /// ids, and buyers get no second mail. The audit log keeps the replay.
    Replay {
        #[command(flatten)]
        which: Which,
        /// Publish only the license's events after this sequence number.
        #[arg(long, value_name = "NUMBER", default_value_t = 0, conflicts_with = "from")]
        after: u64,
        /// Set the end of the period.
        #[arg(long, value_name = "TIME", requires = "from")]
        to: Option<Timestamp>,
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The license.
    license: Option<String>,
    /// Set the start of the period, such as 2026-11-10T09:00:00Z.
    #[arg(long, value_name = "TIME", requires = "to")]
    from: Option<Timestamp>,
}

/// The result of a replay.
#[derive(Debug, Default, Serialize)]
struct Replayed {
    published: u64,
    /// The events that the topic never accepts.
    rejected: u64,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Replay { which, after, to, api, json } = command;
    let replayed = match (which.license, which.from, to) {
        (Some(license), _, _) => {
            let path = format!("/v1/licenses/{}/events/replay", encoded(&license));
            replay(&api.api().await?, &path, json!({ "after": after })).await?
        }
        (None, from, to) => {
            let (from, to) = (from.context("--from is missing")?, to.context("--to is missing")?);
            ensure!(from <= to, "--from must not be after --to");
            replay(&api.api().await?, "/v1/events/replay", json!({ "from": from, "to": to })).await?
        }
    };
    if json {
        return say_json(&replayed);
    }
    say(format!("Published {} events again.", replayed.published))?;
    if replayed.rejected > 0 {
        say(format!(
            "{} events were not published: the topic rejects them. The log of the API's function lists them.",
            replayed.rejected
        ))?;
    }
    Ok(())
}

/// Repeats the request from where the last answer stopped, until all events are published.
async fn replay(api: &Api, path: &str, mut body: Value) -> anyhow::Result<Replayed> {
    let mut progress = Progress::begin();
    let mut replayed = Replayed::default();
    loop {
        let answer = api.post(path, &body).await.with_context(|| match replayed.published {
            0 => "no event was published".to_owned(),
            published => format!("the replay stopped after {published} events: repeat the command"),
        })?;
        let number = |member: &str| answer.get(member).and_then(Value::as_u64).unwrap_or_default();
        replayed.published += number("published");
        replayed.rejected += number("rejected");
        match (answer.get("next").and_then(Value::as_str), body.as_object_mut()) {
            (Some(next), Some(body)) => body.insert("cursor".to_owned(), next.into()),
            _ => return Ok(replayed),
        };
        progress.say(&format!("Published {} events so far", replayed.published));
    }
}
