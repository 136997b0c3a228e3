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
use readiness_checks::{Report, Shown, SignChange, sign_changes, table, texts};
use serde_json::{Value, json};
use store::Store;
use terminal::note_line;

use crate::api::{Api, ApiArguments};
use crate::print::{Progress, plain, say, say_json};
use crate::signed::encoded;

/// The least number of seconds from one audit run to the next: each one sends requests to AWS and the seller's pages.
const MOST_OFTEN: u64 = 10;

/// Show how far a listing is, which steps and checks are open, and what to do.
///
/// The exit code is 0 if the report could be read; with --require-done only if every step is done. It is 1 otherwise,
/// and 2 for a command that cannot be parsed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    product: ProductArguments,
    /// Check the listing now; otherwise the report of the last audit run is shown, which is a day old at most.
    #[arg(long)]
    anew: bool,
    /// Show every check, also those that pass and those of later steps.
    #[arg(long)]
    all: bool,
    /// Repeat the checks, and print what changes, until every step is done.
    #[arg(long, conflicts_with_all = ["json", "html"])]
    watch: bool,
    /// The seconds from one audit run to the next, at least 10.
    #[arg(long, value_name = "SECONDS", requires = "watch", default_value_t = 60, value_parser = seconds)]
    every: u64,
    /// Write the report as a page that can be sent to a colleague; it is one file, and loads nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Fail unless every step is done, for pipelines.
    #[arg(long)]
    require_done: bool,
    /// The language of the report: en or ja.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The options that select a listing.
#[derive(Debug, Args)]
pub(crate) struct ProductArguments {
    /// The listing's product code or product id, where the stack has several.
    #[arg(long, value_name = "CODE")]
    product: Option<String>,
    #[command(flatten)]
    pub(crate) api: ApiArguments,
}

fn seconds(text: &str) -> Result<u64, String> {
    let wanted = text.parse().ok().filter(|seconds| *seconds >= MOST_OFTEN);
    wanted.ok_or_else(|| format!("at least {MOST_OFTEN} seconds"))
}

fn language(tag: &str) -> Result<Language, String> {
    Language::tagged(tag).ok_or_else(|| "it is en or ja".to_owned())
}

impl ProductArguments {
    /// Returns the command that checks a product of this stack.
    pub(crate) fn look_now(&self, product: &str) -> String {
        format!("stallkeeper readiness --anew {} --product {product}", self.api.typed())
    }

    /// Returns the product code that the options select: the given listing's, or that of the only listing of the stack.
    pub(crate) async fn product(&self, api: &Api) -> anyhow::Result<String> {
        let said = match &self.product {
            Some(id) if id.parse::<ProductId>().is_ok() => Some(self.code_of(id).await?),
            said => said.clone(),
        };
        let mut answer = api.get("/v1/readiness").await?;
        let products: Vec<String> = member(&mut answer, "products", api)?;
        let (why, known) = match (said, products.as_slice()) {
            (_, []) => bail!("the stack has no listing; load one by `stallkeeper listing push`"),
            (Some(said), known) if known.contains(&said) => return Ok(said),
            (Some(said), known) => (format!("the stack has no listing of {said}, only of:"), known),
            (None, [only]) => return Ok(only.clone()),
            (None, several) => ("the stack has several listings, say which by --product:".to_owned(), several),
        };
        let reports: Vec<Report> = member(&mut answer, "reports", api)?;
        let name = |code: &str| {
            let of_it = reports.iter().find(|report| report.product.as_str() == code);
            of_it.map_or_else(|| "no report yet".to_owned(), |report| plain(&report.name))
        };
        let names = known.iter().map(|code| format!("\n  {code}  {}", name(code)));
        bail!("{why}{}", names.collect::<String>())
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
    let look_now = arguments.product.look_now(&product);
    let looker = Looker { api: &api, product: &product, look_now: &look_now };
    let mut report = looker.report(arguments.anew).await?;
    match &arguments.html {
        Some(file) => {
            let language = arguments.language.tag();
            let path = format!("/v1/readiness?product={}&language={language}", encoded(&product));
            whole(file, &api.get_text(&path, "text/html").await?)?;
            say(format!("{} has the report on {}", file.display(), plain(&report.name)))?;
        }
        None if arguments.json => say_json(&report)?,
        None => {
            let shown = Shown { every_check: arguments.all, in_colour: in_colour() };
            say(table(&report, arguments.language, shown).trim_end())?;
        }
    }
    if arguments.watch {
        report = watch(&looker, report, &arguments).await?;
    }
    let (done, all) = (report.steps_done(), report.steps.len());
    ensure!(!arguments.require_done || report.is_done(), "{done} of {all} steps are done");
    Ok(())
}

/// A client that reads the reports of one listing.
struct Looker<'a> {
    api: &'a Api,
    product: &'a str,
    /// The command that checks the listing.
    look_now: &'a str,
}

impl Looker<'_> {
    /// Returns the report of a new audit run, or of the last one.
    async fn report(&self, anew: bool) -> anyhow::Result<Report> {
        let Self { api, product, look_now } = self;
        let answer = if anew {
            let body = json!({ "product": product });
            let look = api.post("/v1/readiness/runs", &body);
            Progress::begin().wait("looking at AWS, the stack and the pages (half a minute at most)", look).await?
        } else {
            let path = format!("/v1/readiness?product={}", encoded(product));
            api.get_unless("no_report_yet", &path).await?.with_context(|| {
                format!(
                    "there is no report on {product} yet: the stack looks at each of its listings once a day. Observation now: \
                     {look_now}"
                )
            })?
        };
        read(answer, api)
    }
}

/// Repeats the checks until every step is done. A failed audit run is reported, and the next one follows.
async fn watch(looker: &Looker<'_>, mut report: Report, arguments: &Arguments) -> anyhow::Result<Report> {
    if !report.is_done() {
        note_line(format_args!("looking every {} s; Ctrl-C ends", arguments.every));
    }
    while !report.is_done() {
        tokio::time::sleep(Duration::from_secs(arguments.every)).await;
        match looker.report(true).await {
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
        let said = plain(&after.message.in_language(texts));
        format!("{at}  {}: {was} → {is} ({said})", texts.say(&after.message()))
    });
    let steps = after.steps.iter().filter_map(|step| {
        let was = before.steps.iter().find(|before| before.step == step.step)?.state;
        let [was, is] = [was, step.state].map(|state| texts.say(state.message()));
        (was != is).then(|| format!("{at}  {}: {was} → {is}", texts.say(after.message_of(&step.step))))
    });
    checks.chain(steps).collect()
}

/// Returns `true` if stdout is a terminal and `NO_COLOR` is not set (no-color.org).
fn in_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a file completely or not at all.
fn whole(file: &Path, text: &str) -> anyhow::Result<()> {
    let name = file.file_name().with_context(|| format!("{} names no file", file.display()))?;
    let beside = file.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} cannot be written", file.display()))
}

fn read<T: serde::de::DeserializeOwned>(answer: Value, api: &Api) -> anyhow::Result<T> {
    let is_other = || format!("the API at {} answers something else than a report: is it this version's?", api.url());
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
            steps: vec![StepStatus { step: step.clone(), state, next: None, waits_for: None, since: at }],
            checks: vec![Finding {
                check: "listing.logo".to_owned(),
                step,
                severity: Severity::Required,
                actor: Actor::Seller,
                outcome,
                is_defect: outcome == Outcome::Fail,
                is_attestable: false,
                said: Message { text: text.to_owned(), with: Default::default() },
                attestation: None,
                since: at,
            }],
        }
    }

    #[test]
    fn what_turns_is_said_with_its_time_in_the_readers_language() {
        let before = report("2026-11-24T09:00:00Z", Outcome::Fail, StepState::Failing, "listing-logo.none");
        let after = report("2026-11-24T09:01:00Z", Outcome::Pass, StepState::Done, "listing-logo.ok");
        assert!(changes(&before, &before, Language::English).is_empty());
        assert_eq!(
            changes(&before, &after, Language::English),
            [
                "09:01:00 UTC  The product has a logo: Fails → Passes (It has one.)",
                "09:01:00 UTC  Register the product: Needs mending → Done",
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
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        for text in ["first", "second"] {
            whole(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        let error = whole(&folder.path().join("nowhere/report.html"), "text").unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
        // If a folder has the name, no temporary file is left beside it.
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(whole(&folder.path().join("taken"), "text").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
