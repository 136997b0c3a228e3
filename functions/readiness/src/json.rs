//! The report for programs: as it is stored, and with what it says in one language, so that a reader needs no texts.

use jiff::Timestamp;
use serde::Serialize;
use stallkeeper::ids::ProductCode;
use stallkeeper::listing::Stage;
use stallkeeper::marketplace::Life;
use stallkeeper::readiness::{Finding, Report, StepFound, check, texts};
use stallkeeper::texts::{Language, Texts};
use ulid::Ulid;

/// A report, told in a language.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    id: Ulid,
    at: Timestamp,
    product: &'a ProductCode,
    name: &'a str,
    stage: Stage,
    life: Option<Life>,
    steps: &'a [StepFound],
    checks: Vec<ToldFinding<'a>>,
}

#[derive(Serialize)]
struct ToldFinding<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    title: String,
    /// What was found, as a sentence.
    found: String,
    /// How it is mended; none of a check that this version does not have any more.
    mend: Option<String>,
    /// Where the rule stands; none likewise.
    source: Option<&'static str>,
}

impl<'a> Told<'a> {
    /// Tells a report in a language.
    pub(crate) fn of(report: &'a Report, language: Language) -> Self {
        let Report { id, at, product, name, stage, life, steps, checks } = report;
        let texts = texts(language);
        let checks = checks.iter().map(|finding| ToldFinding::of(finding, texts)).collect();
        Self { id: *id, at: *at, product, name, stage: *stage, life: *life, steps, checks }
    }
}

impl<'a> ToldFinding<'a> {
    fn of(finding: &'a Finding, texts: &Texts) -> Self {
        let (known, message) = (check(&finding.check), finding.message());
        Self {
            finding,
            title: texts.say(&message),
            found: finding.said.in_language(texts),
            mend: known.map(|_| texts.say(&format!("{message}.mend"))),
            source: known.map(|check| check.source),
        }
    }
}
