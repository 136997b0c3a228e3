//! The report as an HTML page: one file that loads nothing, so that it can be viewed, sent and printed.
//!
//! A file is in one language. The sender knows the reader, so the printed, searched and read-aloud text contains the
//! report only once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::language::Language;
use domain::listing::Stage;
use jiff::Timestamp;
use readiness_checks::{
    Actor, Finding, Outcome, Report, Severity, Sign, Step, StepState, StepStatus, check, day, moment, sign_changes,
    texts, visibility_message,
};
use sha2::{Digest, Sha256};
use texts::Texts;

/// The style sheet that is embedded in every page.
const STYLE: &str = include_str!("../templates/style.css");

/// The URL of the AWS Marketplace Management Portal, where a seller works.
const PORTAL: &str = "https://aws.amazon.com/marketplace/management/";

/// The most lines of history on a page. Older changes are in the reports themselves.
const MOST_CHANGES: usize = 20;

/// Returns the page of a report. `earlier` are earlier reports, from which the page derives what changed.
pub fn page(report: &Report, earlier: &[Report], language: Language) -> Result<String, askama::Error> {
    Page::new(report, earlier, texts(language)).render()
}

/// Returns the content security policy: the page loads nothing and runs no script, and its style sheet is allowed by
/// hash.
fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
    });
    &POLICY
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    texts: &'static Texts,
    report: &'a Report,
    answer: Answer<'a>,
    tally: Vec<(Sign, usize)>,
    phases: Vec<Phase>,
    to_do: Vec<ToDo<'a>>,
    /// The number of open checks of steps that wait for an earlier step.
    later: usize,
    waits: Vec<&'static str>,
    steps: Vec<StepOnPage<'a>>,
    history: Vec<Change<'a>>,
    is_first: bool,
}

/// The summary at the top of the page.
struct Answer<'a> {
    kind: &'static str,
    done: String,
    all: String,
    next: Option<&'a StepStatus>,
}

/// A phase of the listing process, with its steps.
struct Phase {
    message: String,
    /// The id of the text that the page shows if the report does not cover this phase.
    instead: Option<&'static str>,
    stops: Vec<Stop>,
}

struct Stop {
    message: &'static str,
    /// The anchor and the state of the step; `None` if the step belongs to the other phase.
    step: Option<(String, StepState)>,
    is_here: bool,
}

/// The open checks that one actor has to resolve.
struct ToDo<'a> {
    actor: Actor,
    checks: Vec<&'a Finding>,
}

struct StepOnPage<'a> {
    number: usize,
    step: &'a StepStatus,
    message: &'static str,
    open: Vec<&'a Finding>,
    holding: Vec<&'a Finding>,
}

/// The checks that changed from one report to the next.
struct Change<'a> {
    at: Timestamp,
    lines: Vec<(&'a Finding, Sign)>,
}

impl<'a> Page<'a> {
    fn new(report: &'a Report, earlier: &'a [Report], texts: &'static Texts) -> Self {
        let next = report.next_step();
        let state = |finding: &Finding| report.steps.iter().find(|step| step.step == finding.step).map(|it| it.state);
        let open = |finding: &&Finding| !finding.outcome.holds();
        let is_now = |finding: &&Finding| state(finding).is_none_or(|state| state != StepState::Waiting);
        let to_do = Actor::ALL.into_iter().map(|actor| ToDo {
            actor,
            checks: report.checks.iter().filter(|it| it.actor == actor).filter(open).filter(is_now).collect(),
        });
        let tally = Sign::ALL.into_iter().map(|sign| {
            let count = report.checks.iter().filter(|finding| finding.sign() == sign).count();
            (sign, count)
        });
        let history = history(report, earlier);
        Self {
            texts,
            report,
            answer: Answer {
                kind: next.map_or("done", |step| step.state.as_str()),
                done: report.steps_done().to_string(),
                all: report.steps.len().to_string(),
                next,
            },
            tally: tally.filter(|(_, count)| *count > 0).collect(),
            phases: phases(report),
            to_do: to_do.filter(|to_do| !to_do.checks.is_empty()).collect(),
            later: report.checks.iter().filter(open).filter(|finding| !is_now(finding)).count(),
            waits: waits(report),
            steps: steps(report),
            history,
            is_first: earlier.is_empty(),
        }
    }

    fn say(&self, id: impl AsRef<str>) -> String {
        self.texts.say(id.as_ref())
    }

    /// Returns the text of a message's attribute.
    fn say_its(&self, id: impl AsRef<str>, attribute: &str) -> String {
        self.texts.say(&format!("{}.{attribute}", id.as_ref()))
    }

    fn counted(&self, id: &str, count: impl ToString) -> String {
        self.texts.say_with(id, [("count", &count.to_string())])
    }

    fn title(&self) -> String {
        let Answer { done, all, .. } = &self.answer;
        self.texts.say_with("report-title", [("product", &self.report.name), ("done", done), ("all", all)])
    }

    fn answered(&self) -> String {
        self.texts.say_with("report-answer", [("done", &self.answer.done), ("all", &self.answer.all)])
    }

    fn phase(&self) -> String {
        self.say(format!("report-phase-{}", self.report.stage))
    }

    fn done(&self) -> String {
        self.say(format!("report-done-{}", self.report.stage))
    }

    /// Returns what to do in a step; in a failing step, the finding of its defect.
    fn what_next(&self, step: &StepStatus) -> String {
        let next = step.next_check.as_deref().filter(|_| step.state == StepState::Failing);
        match next.and_then(|next| self.report.checks.iter().find(|finding| finding.check == next)) {
            Some(defect) => defect.message.in_language(self.texts),
            None => self.say_its(self.report.message_of(&step.step), "next"),
        }
    }

    fn visibility(&self) -> String {
        self.say(self.report.visibility.map_or("report-visibility-unread", visibility_message))
    }

    fn moment(&self, at: &Timestamp) -> String {
        moment(*at, self.texts.language)
    }

    fn since(&self, at: &Timestamp) -> String {
        self.texts.say_with("report-since", [("day", &self.day(at))])
    }

    fn day(&self, at: &Timestamp) -> String {
        day(*at, self.texts.language)
    }

    fn made(&self) -> String {
        self.texts.say_with("report-made", [("id", &self.report.id.to_string())])
    }

    fn is_recommended(&self, finding: &Finding) -> bool {
        finding.severity == Severity::Recommended
    }

    /// Returns the note and the author of the attestation, if the outcome rests on one.
    fn note(&self, finding: &Finding) -> Option<(String, String)> {
        let attestation = finding.attestation.as_ref().filter(|_| finding.sign() == Sign::Attested)?;
        // The last part of an ARN names the caller; the parts before it hold the account.
        let name = attestation.by.rsplit(':').next().unwrap_or_default();
        Some((attestation.note.clone(), self.texts.say_with("report-attested-by", [("name", name)])))
    }

    /// Returns the command that attests an open check, if an attestation would count.
    fn command(&self, finding: &Finding) -> Option<String> {
        let Report { stage, product, .. } = self.report;
        let is_open = finding.is_attestable && finding.outcome != Outcome::Attested;
        is_open
            .then(|| format!("stallkeeper attest {} --stage {stage} --product {product} --note \"…\"", finding.check))
    }

    fn source(&self, finding: &Finding) -> Option<&'static str> {
        check(&finding.check).map(|check| check.source)
    }

    /// Returns the start of a step's part on a ring of 1000 units, and its length, with a gap to the next part.
    fn arc(&self, index: &usize) -> (usize, usize) {
        let part = 1000 / self.report.steps.len().max(1);
        (index * part, part.saturating_sub(14))
    }
}

/// Returns the phases up to a public listing: the steps that a seller takes once, and the two phases of which the
/// report covers one.
fn phases(report: &Report) -> Vec<Phase> {
    let here = report.next_step().map(|step| step.step.as_str());
    let both = Step::ALL;
    let is_once = |step: &Step| matches!(step, Step::Registration | Step::PublicProfile | Step::BankAndTax);
    let stop = |stage: Stage, step: &Step| {
        let id = step.id(stage);
        let found = report.steps.iter().find(|found| found.step == id);
        Stop {
            message: step.message(),
            step: found.map(|found| (step_anchor(&found.step), found.state)),
            is_here: found.is_some() && here == Some(id),
        }
    };
    let mut phases = vec![Phase {
        message: "report-phase-seller".to_owned(),
        instead: None,
        stops: both.iter().filter(|step| is_once(step)).map(|step| stop(report.stage, step)).collect(),
    }];
    for stage in [Stage::Staging, Stage::Production] {
        let steps = Step::ALL.into_iter().filter(|step| step.is_in(stage) && !is_once(step));
        phases.push(Phase {
            message: format!("report-phase-{stage}"),
            instead: match (stage, report.stage) {
                (Stage::Staging, Stage::Production) => Some("report-beside"),
                (Stage::Production, Stage::Staging) => Some("report-ahead"),
                (Stage::Staging, Stage::Staging) | (Stage::Production, Stage::Production) => None,
            },
            stops: steps.map(|step| stop(stage, &step)).collect(),
        });
    }
    phases
}

/// Returns the ids of the texts about the waiting times for AWS that have not ended.
fn waits(report: &Report) -> Vec<&'static str> {
    let review = report.steps.iter().any(|step| step.step == "production.published" && step.state == StepState::Done);
    match review {
        true => vec!["report-wait-price"],
        false => vec!["report-wait-review", "report-wait-publication", "report-wait-price"],
    }
}

fn steps(report: &Report) -> Vec<StepOnPage<'_>> {
    let on_page = report.steps.iter().enumerate().map(|(index, step)| {
        let (holding, open) = report.checks_of(step).partition(|finding| finding.outcome.holds());
        StepOnPage { number: index + 1, step, message: report.message_of(&step.step), open, holding }
    });
    on_page.collect()
}

/// Returns the changes, newest first.
fn history<'a>(report: &'a Report, earlier: &'a [Report]) -> Vec<Change<'a>> {
    let by_time: BTreeMap<_, &Report> = earlier.iter().chain([report]).map(|report| (report.id, report)).collect();
    let reports: Vec<&Report> = by_time.into_values().collect();
    let pairs = reports.windows(2).filter_map(|pair| match pair {
        [before, after] => Some((*before, *after)),
        _ => None,
    });
    let changes = pairs.rev().map(|(before, after)| Change {
        at: after.at,
        lines: sign_changes(before, after).into_iter().map(|it| (it.after, it.before.sign())).collect(),
    });
    let mut left = MOST_CHANGES;
    let shortened = changes.filter(|change| !change.lines.is_empty()).map_while(|mut change| {
        change.lines.truncate(left);
        left = left.saturating_sub(change.lines.len());
        (!change.lines.is_empty()).then_some(change)
    });
    shortened.collect()
}

/// Returns the HTML id of a check's section.
fn anchor(check: &str) -> String {
    check.replace('.', "-")
}

/// Returns the HTML id of a step's section. The prefix tells it apart from a check of the same name.
fn step_anchor(step: &str) -> String {
    format!("step-{}", anchor(step))
}
