//! Compares licenses with what AWS Marketplace shows: those that are named, an account's, or all by runs of the
//! reconciliation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::ApiArguments;
use crate::lambda::{Invoked, Lambda};
use crate::print::{Progress, Table, cell, say, say_json};
use crate::signed::encoded;

/// The name of the function in the template.
pub(crate) const FUNCTION: &str = "ReconcileFunction";

/// The time for which a run is waited for: longer than the function may take.
const TIME_LIMIT: Duration = Duration::from_secs(930);

/// The time for which another run is waited for: longer than one may take.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(16 * 60);

/// The pause before the next attempt while another run is in progress: at first, and the longest later.
const RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    api: ApiArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Reconcile these licenses.
    #[arg(value_name = "LICENSE")]
    licenses: Vec<String>,
    /// Reconcile the licenses of this AWS account.
    #[arg(long)]
    account: Option<String>,
    /// Reconcile every license that has not long ended, and check every agreement in force for licenses without any
    /// event. AWS is asked ten times a second, so that many licenses take long.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(Arguments { which, api, json }: &Arguments) -> anyhow::Result<()> {
    match which {
        Which { all: true, .. } => all(api, *json).await,
        Which { account: Some(account), .. } => {
            let path = format!("/v1/licenses?limit=200&account={}", encoded(account));
            let licenses = api.api().await?.list(&path, "licenses").await?;
            ensure!(
                !licenses.is_empty(),
                "no license of the account {account} is known. Check that it is the buyer's account"
            );
            let ids: Vec<String> = licenses.iter().map(|license| cell(license, "/id")).collect();
            each(&ids, api, *json).await
        }
        Which { licenses, .. } => each(licenses, api, *json).await,
    }
}

/// Reconciles licenses one after the other through the API. A failure is reported, and does not delay the others.
async fn each(licenses: &[String], api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let api = api.api().await?;
    let mut progress = Progress::begin();
    let (mut answers, mut failed) = (Vec::new(), Vec::new());
    for (number, license) in licenses.iter().enumerate() {
        progress.say(&format!("Checking license {} of {}", number + 1, licenses.len()));
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
    ensure!(failed.is_empty(), "{} of {} licenses could not be checked", failed.len(), licenses.len());
    Ok(())
}

fn table(answers: &[Value]) -> Table {
    let mut table = Table::of(&["LICENSE", "STATE", "REPAIRS", "FINDINGS"]);
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

/// The result of a run of the function.
#[derive(Debug, Default, Deserialize)]
struct Report {
    licenses: u64,
    repairs: BTreeMap<String, u64>,
    findings: BTreeMap<String, u64>,
    failures: u64,
    /// The number of licenses that the next run starts with, since they could not be checked. A stack of an older
    /// version, which does not report it, starts with them as well.
    #[serde(default)]
    to_retry: u64,
    /// The number of failures that wait for the next walk; `None` from a stack of an older version, which does not
    /// report it.
    skipped: Option<u64>,
    unfinished: bool,
}

/// The result of all runs.
#[derive(Debug, Default, Serialize)]
struct Total {
    licenses: u64,
    repairs: BTreeMap<String, u64>,
    findings: BTreeMap<String, u64>,
    /// The number of failures that no run resolved.
    failures: u64,
    unfinished: bool,
    #[serde(skip)]
    runs: u32,
    /// The number of licenses that the last run has left for the next.
    #[serde(skip)]
    to_retry: u64,
}

impl Total {
    /// Adds the result of a run. Returns `true` if another run must follow: something is left, and the run has made
    /// progress.
    fn add(&mut self, report: Report) -> bool {
        let Report { licenses, repairs, findings, failures, to_retry, skipped, unfinished } = report;
        let is_left = unfinished || to_retry > 0;
        // Pending licenses are checked in every run: once the walk is done, they are no sign of progress.
        let walked = (unfinished || self.unfinished) && (licenses > 0 || failures == 0);
        let came_further = self.runs == 0 || to_retry < self.to_retry || walked;
        // A failure that is kept counts only if the last run reports it.
        self.failures = self.failures - self.to_retry + skipped.unwrap_or(failures) + to_retry;
        self.licenses += licenses;
        for (sum, of_run) in [(&mut self.repairs, repairs), (&mut self.findings, findings)] {
            for (kind, count) in of_run {
                *sum.entry(kind).or_default() += count;
            }
        }
        (self.runs, self.to_retry, self.unfinished) = (self.runs + 1, to_retry, unfinished);
        is_left && came_further
    }

    fn show(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return say_json(self);
        }
        say(format!("Licenses checked: {}.", self.licenses))?;
        say(format!("Repairs: {}.", counted(&self.repairs)))?;
        say(format!("Findings (docs/OPERATIONS.md, ReconcileFindingsAlarm): {}.", counted(&self.findings)))
    }
}

/// Reconciles all licenses by runs of the function: the first restarts the day's walk, and each continues where the one
/// before stopped, and with what failed in it. The results are shown even if the runs end with an error.
async fn all(api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let stack = api.stack();
    let config = stack.config().await;
    let function = stack.resource(&config, FUNCTION).await?;
    let lambda = Lambda::new(&config)?;
    let mut total = Total::default();
    let ended = run_all(&lambda, &function, &mut total).await;
    if total.runs > 0 {
        total.show(json)?;
    }
    ended?;
    ensure!(
        !total.unfinished,
        "AWS does not answer, so the reconciliation is not complete: the next scheduled run continues with it. See the \
         function's log"
    );
    ensure!(
        total.failures == 0,
        "licenses that could not be checked: {}; the function's log lists them",
        total.failures
    );
    Ok(())
}

async fn run_all(lambda: &Lambda, function: &str, total: &mut Total) -> anyhow::Result<()> {
    loop {
        let payload = if total.runs == 0 { json!({ "restart": true }) } else { json!({}) };
        let answer = run_once(lambda, function, &payload, total.runs + 1).await?;
        let report = serde_json::from_value(answer).context("the function returned no report")?;
        if !total.add(report) {
            return Ok(());
        }
    }
}

/// Runs the function once, after waiting until no other run is in progress: the schedule starts one every hour.
async fn run_once(lambda: &Lambda, function: &str, payload: &Value, run: u32) -> anyhow::Result<Value> {
    let (began, mut pause, mut progress) = (Instant::now(), RETRY_PAUSE_MIN, Progress::begin());
    progress.note(&format!("Starting run {run} of the reconciliation, which may take 15 minutes."));
    loop {
        let invoked = lambda.invoke(function, payload, TIME_LIMIT);
        match progress.wait(&format!("Run {run} of the reconciliation"), invoked).await? {
            Invoked::Answered(answer) => return Ok(answer),
            Invoked::Busy if began.elapsed() < RECONCILE_TIMEOUT => {}
            Invoked::Busy => bail!(
                "{function} cannot run: another run has been in progress for {} minutes, or the function was stopped. Only one \
                 run is possible at a time. Try again in some minutes",
                RECONCILE_TIMEOUT.as_secs() / 60
            ),
        }
        if pause == RETRY_PAUSE_MIN {
            progress.note("Another run is in progress, or the function was stopped. Waiting until it can run.");
        }
        progress.wait("Waiting for another run", tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

fn counted(kinds: &BTreeMap<String, u64>) -> String {
    match kinds.is_empty() {
        true => "none".to_owned(),
        false => kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of a run: checked, failed, to be tried again, not kept; and `true` if the walk continues.
    type Run = (u64, u64, u64, u64, bool);

    #[test]
    fn runs_repeat_while_they_make_progress_and_only_remaining_failures_count() {
        let cases: [(&str, &[Run], bool, u64); 10] = [
            ("one run", &[(9, 0, 0, 0, false)], false, 0),
            ("the walk continues", &[(9, 0, 0, 0, true)], true, 0),
            ("a failure is retried", &[(8, 1, 1, 0, false)], true, 1),
            ("the retry succeeds", &[(8, 1, 1, 0, false), (1, 0, 0, 0, false)], false, 0),
            ("the retry fails", &[(8, 1, 1, 0, false), (0, 1, 1, 0, false)], false, 1),
            ("a failure beside waiting licenses", &[(8, 1, 1, 0, false), (2, 1, 1, 0, false)], false, 1),
            ("a refused license is not retried", &[(8, 2, 1, 1, false), (1, 0, 0, 0, false)], false, 1),
            ("others fail at the end of the walk", &[(8, 5, 5, 0, true), (7, 5, 5, 0, false)], true, 5),
            ("AWS does not answer", &[(8, 5, 5, 0, true), (0, 5, 30, 0, true)], false, 30),
            ("agreements take long", &[(8, 0, 0, 0, true), (0, 0, 0, 0, true)], true, 0),
        ];
        for (case, runs, continues, failures) in cases {
            let mut total = Total::default();
            let mut continued = Vec::new();
            for &(licenses, failures, to_retry, skipped, unfinished) in runs {
                let report =
                    Report { licenses, failures, to_retry, skipped: Some(skipped), unfinished, ..Report::default() };
                continued.push(total.add(report));
            }
            assert_eq!((continued.pop(), total.failures), (Some(continues), failures), "{case}");
            assert!(continued.iter().all(|continued| *continued), "{case}");
        }
    }

    #[test]
    fn a_report_of_an_older_stack_has_fewer_fields() {
        let report = json!({ "licenses": 3, "repairs": {}, "findings": {}, "failures": 2, "unfinished": true });
        let mut total = Total::default();
        assert!(total.add(serde_json::from_value(report).unwrap()));
        assert_eq!(total.failures, 2);
    }
}
