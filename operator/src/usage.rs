//! Usage: lists records that are on their way to AWS and problems that need an operator, and sends records again.

use anyhow::ensure;
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use store::ProblemKind;

use crate::api::ApiArguments;
use crate::print::{Progress, Table, cell, say, say_json};
use crate::signed::encoded;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the records that are not yet sent to AWS or not yet confirmed by it.
    Pending {
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the records that count as booked because AWS answered DuplicateRecord after an unanswered attempt.
    Unverified {
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the problems that need an operator, with the reason and what to do.
    Problems {
        /// List only problems of this kind.
        #[arg(long, value_parser = kinds())]
        kind: Option<ProblemKind>,
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send records again as they are, after the cause is fixed. The audit log keeps the caller.
    Requeue {
        /// The names of the records, as `usage problems` lists them: l-…@2026-11-10T09@requests.
        #[arg(required = true, value_name = "RECORD")]
        records: Vec<String>,
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Parses a kind by its name, and accepts no other text.
fn kinds() -> impl TypedValueParser<Value = ProblemKind> {
    PossibleValuesParser::new(ProblemKind::ALL.map(ProblemKind::name)).try_map(|name| name.parse())
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Pending { api, json } => {
            let nothing = "There are no pending records: the usage of all closed hours is booked or a problem.";
            list("pending", nothing, &api, json).await
        }
        Command::Unverified { api, json } => list("unverified", "Every booking is verified.", &api, json).await,
        Command::Problems { kind, api, json } => problems(kind, &api, json).await,
        Command::Requeue { records, api, json } => requeue(&records, &api, json).await,
    }
}

/// Prints records, or that there are none.
async fn list(which: &str, nothing: &str, api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let records = api.api().await?.list(&format!("/v1/usage/{which}?limit=500"), "records").await?;
    if json {
        return say_json(&records);
    }
    if records.is_empty() {
        return say(nothing);
    }
    let mut table = Table::of(&["RECORD", "QUANTITY", "STATE", "ATTEMPTS"]);
    for record in &records {
        let state = match record.pointer("/state/reason") {
            Some(_) => format!("{}: {}", cell(record, "/state/name"), cell(record, "/state/reason")),
            None => cell(record, "/state/name"),
        };
        table.row([cell(record, "/record"), cell(record, "/quantity"), state, cell(record, "/attempts")]);
    }
    say(table)
}

async fn problems(kind: Option<ProblemKind>, api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let of_kind = kind.map(|kind| format!("&kind={}", kind.name())).unwrap_or_default();
    let problems = api.api().await?.list(&format!("/v1/usage/problems?limit=500{of_kind}"), "problems").await?;
    if json {
        return say_json(&problems);
    }
    if problems.is_empty() {
        return say(match kind {
            Some(kind) => format!("There are no problems of the kind {}.", kind.name()),
            None => "There are no problems.".to_owned(),
        });
    }
    let mut table = Table::of(&["KIND", "SUBJECT", "QUANTITY", "REASON", "WINDOW CLOSES", "REQUEUE"]);
    for problem in &problems {
        table.row([
            cell(problem, "/kind"),
            subject(problem),
            cell(problem, "/quantity"),
            cell(problem, "/reason"),
            cell(problem, "/window_closes"),
            cell(problem, "/requeue"),
        ]);
    }
    say(&table)?;
    // Problems of a kind mostly have one action, which is printed once.
    let mut printed: Vec<(String, String)> = Vec::new();
    for problem in &problems {
        let action = (cell(problem, "/kind"), cell(problem, "/action"));
        if !printed.contains(&action) {
            say(format!("\n{}: {}", action.0, action.1))?;
            printed.push(action);
        }
    }
    Ok(())
}

/// Returns the record of a problem; if there is none, what else is known.
fn subject(problem: &Value) -> String {
    let parts = ["/license", "/hour", "/dimension", "/product"].into_iter().map(|part| cell(problem, part));
    match cell(problem, "/record").as_str() {
        "-" => parts.filter(|part| part != "-").collect::<Vec<_>>().join(" "),
        record => record.to_owned(),
    }
}

/// Sends each record again. A failure is reported, and does not delay the others.
async fn requeue(records: &[String], api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let api = api.api().await?;
    let mut progress = Progress::begin();
    let (mut done, mut failed) = (Vec::new(), 0);
    for (number, record) in records.iter().enumerate() {
        progress.say(&format!("Requeuing record {} of {}", number + 1, records.len()));
        match api.post(&format!("/v1/usage/{}/requeue", encoded(record)), &Value::Null).await {
            Ok(answer) if json => done.push(answer),
            Ok(answer) => say(format!("{record} is {} and will be sent again.", cell(&answer, "/state/name")))?,
            Err(error) => {
                failed += 1;
                match json {
                    true => done.push(json!({ "record": record, "error": format!("{error:#}") })),
                    false => say(format!("{record}: {error:#}"))?,
                }
            }
        }
    }
    if json {
        say_json(&done)?;
    }
    ensure!(failed == 0, "{failed} of {} records could not be requeued", records.len());
    Ok(())
}
