//! The report as text, for terminals.

use super::messages::{day, moment, texts};
use super::progress::{Sign, visibility_message};
use super::report::{Finding, Report, StepStatus};
use super::steps::StepState;
use super::{Severity, check};
use domain::language::Language;
use texts::Texts;

/// The options of a report as text.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableOptions {
    /// `true` if every check is shown; otherwise those that can be resolved now.
    pub show_all_checks: bool,
    /// `true` if the text has terminal colors.
    pub use_color: bool,
}

/// Returns the report as text: its progress, the next step, the steps, and the open checks with what to do.
pub fn table(report: &Report, language: Language, options: TableOptions) -> String {
    let mut written = Written { texts: texts(language), options, text: String::new() };
    written.head(report);
    let widest = |id: fn(&Report, &StepStatus) -> &'static str| {
        report.steps.iter().map(|step| columns(&texts(language).say(id(report, step)))).max().unwrap_or_default()
    };
    let widths = (widest(|report, step| report.message_of(&step.step)), widest(|_, step| step.state.message()));
    for (number, step) in report.steps.iter().enumerate() {
        written.step(report, number + 1, step, widths);
    }
    written.text
}

struct Written {
    texts: &'static Texts,
    options: TableOptions,
    text: String,
}

impl Written {
    /// Ends a line. Observed texts may contain control characters that a terminal obeys, so only `paint` writes these.
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn paint(&self, text: &str, color: &str) -> String {
        let text = plain(text);
        if self.options.use_color { format!("\x1b[{color}m{text}\x1b[0m") } else { text }
    }

    fn head(&mut self, report: &Report) {
        let texts = self.texts;
        let phase = texts.say(&format!("report-phase-{}", report.stage));
        let name = self.paint(&report.name, BOLD);
        self.line(&format!("{name} ({}), {phase}", report.product));
        let visibility = texts.say(report.visibility.map_or("report-visibility-unread", visibility_message));
        let checked = moment(report.at, texts.language);
        let at = |id| texts.say(id);
        self.line(&format!("{}: {visibility}. {}: {checked}", at("report-visibility"), at("report-checked")));
        self.line("");
        let (done, all) = (report.steps_done().to_string(), report.steps.len().to_string());
        let answer = texts.say_with("report-answer", [("done", &done), ("all", &all)]);
        self.line(&self.paint(&answer, BOLD));
        match report.next_step() {
            Some(step) => {
                let message = report.message_of(&step.step);
                let next = report.next_label(step);
                self.line(&format!("{} {}", texts.say(next), self.paint(&texts.say(message), BOLD)));
                self.line(&texts.say(&format!("{message}.next")));
            }
            None => self.line(&texts.say(&format!("report-done-{}", report.stage))),
        }
        self.line("");
    }

    fn step(&mut self, report: &Report, number: usize, step: &StepStatus, widths: (usize, usize)) {
        let texts = self.texts;
        let title = padded(&texts.say(report.message_of(&step.step)), widths.0);
        let (sign, color) = match step.state {
            StepState::Done => ('✓', GREEN),
            StepState::Ready => ('→', YELLOW),
            StepState::Failing => ('✗', RED),
            StepState::Waiting => ('·', DIM),
        };
        let state = self.paint(&padded(&texts.say(step.state.message()), widths.1), color);
        let since = texts.say_with("report-since", [("day", &day(step.since, texts.language))]);
        let since = self.paint(&since, DIM);
        let sign = self.paint(&sign.to_string(), color);
        self.line(&format!("{sign} {number}  {title}  {state}  {since}"));
        for finding in report.checks_of(step) {
            let is_actionable = !finding.outcome.holds() && step.state != StepState::Waiting;
            if is_actionable || self.options.show_all_checks {
                self.check(finding);
            }
        }
    }

    fn check(&mut self, finding: &Finding) {
        let texts = self.texts;
        let (sign, color) = match finding.sign() {
            Sign::Passes => ('✓', GREEN),
            Sign::Attested => ('✎', GREEN),
            Sign::ToDo => ('○', YELLOW),
            Sign::Fails => ('✗', RED),
            Sign::Unknown => ('?', YELLOW),
        };
        let word = self.paint(&format!("{sign} {}", texts.say(finding.sign().message())), color);
        let recommended = match finding.severity {
            Severity::Required => String::new(),
            Severity::Recommended => format!(", {}", texts.say("report-recommended")),
        };
        let title = plain(&texts.say(&finding.message()));
        let of = self.paint(&format!("[{}]", finding.check), DIM);
        self.line(&format!("     {word}{recommended}: {title} {of}"));
        let message = plain(&finding.message.in_language(texts));
        self.line(&format!("       {message}"));
        if let Some(attestation) = &finding.attestation {
            let note = plain(&attestation.note);
            if finding.sign() == Sign::Attested && !note.is_empty() {
                let by = texts.say_with("report-attested-by", [("name", &plain(&attestation.by))]);
                self.line(&format!("       “{note}” {by}"));
            }
        }
        if !finding.outcome.holds() && check(&finding.check).is_some() {
            let remediation = texts.say(&format!("{}.remediation", finding.message()));
            let label = texts.say("report-remediation");
            let actor = texts.say(finding.actor.message());
            self.line(&format!("       {label} ({actor}): {remediation}"));
        }
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Returns a text with control characters replaced by blanks.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Returns the number of terminal columns of a text: a Japanese character takes two.
fn columns(text: &str) -> usize {
    let is_wide = |character: char| matches!(u32::from(character), 0x2e80..=0xa4cf | 0xf900..=0xfaff | 0xff00..=0xff60);
    text.chars().map(|character| if is_wide(character) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attested, complete, listing, nothing};
    use crate::{Attestation, assess};

    #[test]
    fn the_summary_comes_first_and_open_checks_have_a_remediation() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = Some(3);
        let report = assess(&facts, &attested(facts.now), None);
        let english = table(&report, Language::English, TableOptions::default());
        for expected in [
            "Example (exampleproductcode), Test phase\nVisibility: Limited. Checked: 23 November 2026, 12:00 UTC\n",
            "\n6 of 7 steps done\nFix first: Prepare the product\n",
            "\n✓ 1  Register as a seller              Done         since 23 November 2026\n",
            "\n✗ 4  Prepare the product               Needs a fix  since 23 November 2026\n",
            "✗ Fails: The dead-letter queues are empty [wiring.queues_drained]\n       These queues have messages: news-dead (3)",
            "       How to fix it (Operator): Run stallkeeper dlq show",
        ] {
            assert!(english.contains(expected), "{expected}\n\n{english}");
        }
        assert!(!english.contains("page.https") && !english.contains('\x1b'), "{english}");
        let japanese = table(&report, Language::Japanese, TableOptions { show_all_checks: true, use_color: true });
        assert!(japanese.contains("7 手順中 6 手順が完了"), "{japanese}");
        assert!(japanese.contains("\x1b[31m✗ 要修正\x1b[0m: デッドレターキューが空である"), "{japanese}");
        assert!(report.checks.iter().all(|finding| japanese.contains(&format!("[{}]", finding.check))));
        // Columns are aligned, with two for each Japanese character.
        let plain = table(&report, Language::Japanese, TableOptions::default());
        let states = plain
            .lines()
            .filter(|line| line.contains(" から"))
            .map(|line| columns(line.split(['完', '要']).next().unwrap()));
        assert!(states.clone().all(|column| Some(column) == states.clone().next()), "{plain}");
    }

    #[test]
    fn a_waiting_step_shows_none_of_its_checks() {
        let listing = listing();
        let report = assess(&nothing(&listing), &Default::default(), None);
        let english = table(&report, Language::English, TableOptions::default());
        assert!(english.contains("[seller.registration]") && !english.contains("[listing.logo]"), "{english}");
    }

    #[test]
    fn observed_texts_cannot_control_the_terminal() {
        let listing = listing();
        let mut facts = complete(&listing);
        facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().messages = Some(1);
        facts.stack.dead_letters.as_mut().unwrap().first_mut().unwrap().name = "\x1b[2Jcleared".to_owned();
        let mut attestations = attested(facts.now);
        let note = Attestation { by: "\x1b[2J".to_owned(), at: facts.now, note: "\x1b[2J\r".to_owned() };
        attestations.insert("app.no_payment_data".to_owned(), note);
        let mut report = assess(&facts, &attestations, None);
        report.name = "\x1b[2J".to_owned();
        for show_all_checks in [false, true] {
            let text = table(&report, Language::English, TableOptions { show_all_checks, use_color: false });
            assert!(text.contains("cleared") && !text.contains(['\x1b', '\r']), "{text:?}");
        }
    }
}
