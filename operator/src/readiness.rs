//! The readiness report of a listing, fresh or from the last audit run, for operators, programs and colleagues.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use clock::Clock;
use domain::ids::ProductId;
use domain::language::Language;
use readiness_checks::{Report, SignChange, TableOptions, sign_changes, table, texts};
use serde_json::{Value, json};
use store::Store;
use terminal::note_line;

use crate::api::{Api, ApiArguments};
use crate::print::{Progress, plain, say, say_json};
use crate::signed::encoded;

/// The least number of seconds from one audit run to the next: each one sends requests to AWS and the seller's pages.
const INTERVAL_SECONDS_MIN: u64 = 10;

/// Show the progress of a listing: which steps and checks are open, and how to resolve them.
///
/// The exit code is 0 if the report could be read; with --require-done only if every step is done. It is 1 otherwise,
/// and 2 for a command that cannot be parsed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    product: ProductArguments,
    /// Check the listing now. Otherwise, show the report of the last audit run, which is a day old at most.
    #[arg(long)]
    refresh: bool,
    /// Show every check, also those that pass and those of later steps.
    #[arg(long)]
    all: bool,
    /// Repeat the checks, and print what changes, until every step is done.
    #[arg(long, conflicts_with_all = ["json", "html"])]
    watch: bool,
    /// Set the seconds from one audit run to the next, at least 10.
    #[arg(long, value_name = "SECONDS", requires = "watch", default_value_t = 60, value_parser = seconds)]
    every: u64,
    /// Write the report to an HTML file, which loads nothing, so that it can be sent to others.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Exit with 1 unless every step is done, for pipelines.
    #[arg(long)]
    require_done: bool,
    /// Set the language of the report: en or ja.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The options that select a listing.
#[derive(Debug, Args)]
pub(crate) struct ProductArguments {
    /// Select the listing by its product code or product id; required if the stack has several.
    #[arg(long, value_name = "CODE")]
    product: Option<String>,
    #[command(flatten)]
    pub(crate) api: ApiArguments,
}

fn seconds(text: &str) -> Result<u64, String> {
    let wanted = text.parse().ok().filter(|seconds| *seconds >= INTERVAL_SECONDS_MIN);
    wanted.ok_or_else(|| format!("it must be at least {INTERVAL_SECONDS_MIN} seconds"))
}

fn language(tag: &str) -> Result<Language, String> {
    Language::tagged(tag).ok_or_else(|| "it must be en or ja".to_owned())
}

impl ProductArguments {
    /// Returns the command that checks a product of this stack.
    pub(crate) fn refresh_command(&self, product: &str) -> String {
        format!("stallkeeper readiness --refresh {} --product {product}", self.api.typed())
    }

    /// Returns the product code that the options select: the given listing's, or that of the only listing of the stack.
    pub(crate) async fn product(&self, api: &Api) -> anyhow::Result<String> {
        let selected = match &self.product {
            Some(id) if id.parse::<ProductId>().is_ok() => Some(self.code_of(id).await?),
            selected => selected.clone(),
        };
        let mut answer = api.get("/v1/readiness").await?;
        let products: Vec<String> = member(&mut answer, "products", api)?;
        let (problem, known) = match (selected, products.as_slice()) {
            (_, []) => bail!("the stack has no listing. Load one with `stallkeeper listing push`"),
            (Some(product), known) if known.contains(&product) => return Ok(product),
            (Some(product), known) => (format!("the stack has no listing of {product}. It has:"), known),
            (None, [only]) => return Ok(only.clone()),
            (None, several) => ("the stack has several listings. Select one with --product:".to_owned(), several),
        };
        let reports: Vec<Report> = member(&mut answer, "reports", api)?;
        let name = |code: &str| {
            let of_it = reports.iter().find(|report| report.product.as_str() == code);
            of_it.map_or_else(|| "no report yet".to_owned(), |report| plain(&report.name))
        };
        let names = known.iter().map(|code| format!("\n  {code}  {}", name(code)));
        bail!("{problem}{}", names.collect::<String>())
    }

    /// Returns the product code of the listing with that product id, which the table has, but not the API.
    async fn code_of(&self, id: &str) -> anyhow::Result<String> {
        let config = self.api.stack().config().await;
        let table = self.api.stack().described(&config).await?.output("TableName")?.to_owned();
        let listings = Store::new(&config, table, Clock::System).all_listings().await?;
        let listing = listings.into_iter().find(|listing| listing.product_id.as_str() == id);
        Ok(listing.map_or_else(|| id.to_owned(), |listing| listing.product_code.to_string()))
    }
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let api = arguments.product.api.api().await?;
    let product = arguments.product.product(&api).await?;
    let refresh_command = arguments.product.refresh_command(&product);
    let reader = ReportReader { api: &api, product: &product, refresh_command: &refresh_command };
    let mut report = reader.report(arguments.refresh).await?;
    match &arguments.html {
        Some(file) => {
            let language = arguments.language.tag();
            let path = format!("/v1/readiness?product={}&language={language}", encoded(&product));
            write_atomically(file, &api.get_text(&path, "text/html").await?)?;
            say(format!("Wrote the report on {} to {}.", plain(&report.name), file.display()))?;
        }
        None if arguments.json => say_json(&report)?,
        None => {
            let options = TableOptions { show_all_checks: arguments.all, use_color: use_color() };
            say(table(&report, arguments.language, options).trim_end())?;
        }
    }
    if arguments.watch {
        report = watch(&reader, report, &arguments).await?;
    }
    let (done, all) = (report.steps_done(), report.steps.len());
    ensure!(!arguments.require_done || report.is_done(), "{done} of {all} steps are done");
    Ok(())
}

/// A client that reads the reports of one listing.
struct ReportReader<'a> {
    api: &'a Api,
    product: &'a str,
    /// The command that checks the listing.
    refresh_command: &'a str,
}

impl ReportReader<'_> {
    /// Returns the report of a new audit run, or of the last one.
    async fn report(&self, refresh: bool) -> anyhow::Result<Report> {
        let Self { api, product, refresh_command } = self;
        let answer = if refresh {
            let body = json!({ "product": product });
            let run = api.post("/v1/readiness/runs", &body);
            Progress::begin().wait("Checking AWS, the stack and the pages (half a minute at most)", run).await?
        } else {
            let path = format!("/v1/readiness?product={}", encoded(product));
            api.get_unless("no_report_yet", &path).await?.with_context(|| {
                format!(
                    "there is no report on {product} yet: the stack checks its listings once a day. Check now: \
                     {refresh_command}"
                )
            })?
        };
        read(answer, api)
    }
}

/// Repeats the checks until every step is done. A failed audit run is reported, and the next one follows.
async fn watch(reader: &ReportReader<'_>, mut report: Report, arguments: &Arguments) -> anyhow::Result<Report> {
    if !report.is_done() {
        note_line(format_args!("Checking every {} s. Press Ctrl-C to stop.", arguments.every));
    }
    while !report.is_done() {
        tokio::time::sleep(Duration::from_secs(arguments.every)).await;
        match reader.report(true).await {
            Ok(newer) => {
                for line in changes(&report, &newer, arguments.language) {
                    say(line)?;
                }
                report = newer;
            }
            Err(error) => note_line(format_args!("{error:#}")),
        }
    }
    Ok(report)
}

/// Returns the checks and steps that changed from one report to the next, a line each.
fn changes(before: &Report, after: &Report, language: Language) -> Vec<String> {
    let texts = texts(language);
    let at = after.at.strftime("%H:%M:%S UTC");
    let checks = sign_changes(before, after).into_iter().map(|SignChange { before, after }| {
        let [was, is] = [before, after].map(|finding| texts.say(finding.sign().message()));
        let message = plain(&after.message.in_language(texts));
        format!("{at}  {}: {was} → {is} ({message})", texts.say(&after.message()))
    });
    let steps = after.steps.iter().filter_map(|step| {
        let was = before.steps.iter().find(|before| before.step == step.step)?.state;
        let [was, is] = [was, step.state].map(|state| texts.say(state.message()));
        (was != is).then(|| format!("{at}  {}: {was} → {is}", texts.say(after.message_of(&step.step))))
    });
    checks.chain(steps).collect()
}

/// Returns `true` if stdout is a terminal and `NO_COLOR` is not set (no-color.org).
fn use_color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a file completely or not at all.
fn write_atomically(file: &Path, text: &str) -> anyhow::Result<()> {
    let name = file.file_name().with_context(|| format!("{} is not the name of a file", file.display()))?;
    let beside = file.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} cannot be written", file.display()))
}

fn read<T: serde::de::DeserializeOwned>(answer: Value, api: &Api) -> anyhow::Result<T> {
    let is_other = || {
        format!(
            "the API at {} does not answer with a report. Check that the stack and this command have the same version",
            api.url()
        )
    };
    serde_json::from_value(answer).with_context(is_other)
}

fn member<T: serde::de::DeserializeOwned>(answer: &mut Value, name: &str, api: &Api) -> anyhow::Result<T> {
    read(answer.get_mut(name).map(Value::take).unwrap_or_default(), api)
}

#[cfg(test)]
mod tests {
    use domain::listing::Stage;
    use readiness_checks::{Actor, Finding, Message, Outcome, Severity, StepState, StepStatus};

    use super::*;

    /// Returns a report of one step that depends on the logo.
    fn report(at: &str, outcome: Outcome, state: StepState, text: &str) -> Report {
        let at = at.parse().unwrap();
        let step = "test.product_registered".to_owned();
        Report {
            id: "01JD0000000000000000000000".parse().unwrap(),
            at,
            product: "4democontract0000000000ab".parse().unwrap(),
            name: "Demo".to_owned(),
            stage: Stage::Staging,
            visibility: None,
            steps: vec![StepStatus { step: step.clone(), state, next_check: None, waits_for: None, since: at }],
            checks: vec![Finding {
                check: "listing.logo".to_owned(),
                step,
                severity: Severity::Required,
                actor: Actor::Seller,
                outcome,
                is_defect: outcome == Outcome::Fail,
                is_attestable: false,
                message: Message { id: text.to_owned(), arguments: Default::default() },
                attestation: None,
                since: at,
            }],
        }
    }

    #[test]
    fn changes_are_printed_with_their_time_in_the_language() {
        let before = report("2026-11-24T09:00:00Z", Outcome::Fail, StepState::Failing, "listing-logo.none");
        let after = report("2026-11-24T09:01:00Z", Outcome::Pass, StepState::Done, "listing-logo.ok");
        assert!(changes(&before, &before, Language::English).is_empty());
        assert_eq!(
            changes(&before, &after, Language::English),
            [
                "09:01:00 UTC  The product has a logo: Fails → Passes (It has one.)",
                "09:01:00 UTC  Register the product: Needs a fix → Done",
            ]
        );
        assert_eq!(
            changes(&before, &after, Language::Japanese),
            [
                "09:01:00 UTC  製品にロゴがある: 要修正 → 問題なし (あります。)",
                "09:01:00 UTC  製品を登録する: 要修正 → 完了",
            ]
        );
    }

    #[test]
    fn a_file_is_written_completely_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        for text in ["first", "second"] {
            write_atomically(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        let error = write_atomically(&folder.path().join("nowhere/report.html"), "text").unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
        // If a folder has the name, no temporary file is left beside it.
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(write_atomically(&folder.path().join("taken"), "text").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
