//! Licenses held against what AWS Marketplace shows: those that are named, an account's, or all by a run of the
//! reconciliation.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::ApiArguments;
use crate::lambda::Lambda;
use crate::print::{Progress, Table, cell, say, say_json};
use crate::signed::encoded;

/// What the template calls the function.
pub(crate) const FUNCTION: &str = "ReconcileFunction";

/// How long a run is waited for: longer than the function may take.
const TIME_LIMIT: Duration = Duration::from_secs(930);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    api: ApiArguments,
    /// Says it for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The licenses.
    #[arg(value_name = "LICENSE")]
    licenses: Vec<String>,
    /// Those of this AWS account.
    #[arg(long)]
    account: Option<String>,
    /// Every license that is not long over, and every agreement in force, for licenses that nothing was heard of. AWS is
    /// asked ten times a second, so that many take long.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(Arguments { which, api, json }: &Arguments) -> anyhow::Result<()> {
    match which {
        Which { all: true, .. } => all(api, *json).await,
        Which { account: Some(account), .. } => {
            let path = format!("/v1/licenses?limit=200&account={}", encoded(account));
            let licenses = api.api().await?.list(&path, "licenses").await?;
            ensure!(!licenses.is_empty(), "no license of the account {account} is known: is it the buyer's?");
            let ids: Vec<String> = licenses.iter().map(|license| cell(license, "/id")).collect();
            each(&ids, api, *json).await
        }
        Which { licenses, .. } => each(licenses, api, *json).await,
    }
}

/// One after the other by the API. One that cannot be looked at is told of, and holds up no other.
async fn each(licenses: &[String], api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let api = api.api().await?;
    let mut progress = Progress::begin();
    let (mut answers, mut failed) = (Vec::new(), Vec::new());
    for (number, license) in licenses.iter().enumerate() {
        progress.say(&format!("license {} of {}", number + 1, licenses.len()));
        match api.post(&format!("/v1/licenses/{}/reconcile", encoded(license)), &Value::Null).await {
            Ok(answer) => answers.push(answer),
            Err(error) => failed.push((license, format!("{error:#}"))),
        }
    }
    drop(progress);
    if json {
        answers.extend(failed.iter().map(|(license, error)| json!({ "license": { "id": license }, "error": error })));
        say_json(&answers)?;
    } else {
        if !answers.is_empty() {
            say(table(&answers))?;
        }
        for (license, error) in &failed {
            say(format!("{license}: {error}"))?;
        }
    }
    ensure!(failed.is_empty(), "{} of {} licenses were not looked at", failed.len(), licenses.len());
    Ok(())
}

fn table(answers: &[Value]) -> Table {
    let mut table = Table::of(&["LICENSE", "STATE", "MADE GOOD", "FOR A PERSON"]);
    for answer in answers {
        let kinds = |member: &str| {
            let of = answer.get(member).and_then(Value::as_array).into_iter().flatten();
            Some(of.map(|one| cell(one, "/kind")).collect::<Vec<_>>().join(", "))
                .filter(|kinds| !kinds.is_empty())
                .unwrap_or_else(|| "-".to_owned())
        };
        table.row([cell(answer, "/license/id"), cell(answer, "/license/state"), kinds("repairs"), kinds("findings")]);
    }
    table
}

/// What the runs of the function have done.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    licenses: u64,
    repairs: BTreeMap<String, u64>,
    findings: BTreeMap<String, u64>,
    failures: u64,
    unfinished: bool,
}

/// By runs of the function: the first begins the day's walk anew, and each goes on where the one before stopped.
async fn all(api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let stack = api.stack();
    let config = stack.config().await;
    let function = stack.resource(&config, FUNCTION).await?;
    let lambda = Lambda::new(&config)?;
    let mut whole = Report::default();
    for run in 1.. {
        eprintln!("run {run} of the reconciliation has begun; it may take 15 minutes");
        let payload = if run == 1 { json!({ "anew": true }) } else { json!({}) };
        let answer = lambda.invoke(&function, &payload, TIME_LIMIT).await?;
        let report: Report = serde_json::from_value(answer).context("the function answered no report")?;
        whole.licenses += report.licenses;
        whole.failures += report.failures;
        whole.unfinished = report.unfinished;
        for (sum, of_run) in [(&mut whole.repairs, report.repairs), (&mut whole.findings, report.findings)] {
            for (kind, count) in of_run {
                *sum.entry(kind).or_default() += count;
            }
        }
        if !report.unfinished || (report.licenses == 0 && report.failures > 0) {
            break;
        }
    }
    if json {
        say_json(&whole)?;
    } else {
        say(format!("{} licenses were looked at", whole.licenses))?;
        say(format!("made good: {}", counted(&whole.repairs)))?;
        say(format!("for a person (docs/OPERATIONS.md, ReconcileFindingsAlarm): {}", counted(&whole.findings)))?;
    }
    ensure!(
        !whole.unfinished,
        "AWS does not answer, so the walk is not done: the next run of the schedule goes on with it. The function's log \
         says why"
    );
    ensure!(whole.failures == 0, "{} could not be looked at; the function's log names them", whole.failures);
    Ok(())
}

fn counted(kinds: &BTreeMap<String, u64>) -> String {
    match kinds.is_empty() {
        true => "nothing".to_owned(),
        false => kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", "),
    }
}
