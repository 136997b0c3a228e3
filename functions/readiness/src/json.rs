//! The report for programs: as it is stored, and with what it says in one language, so that a reader needs no texts.

use domain::catalog::Life;
use domain::ids::ProductCode;
use domain::language::Language;
use domain::listing::Stage;
use domain::schema::ReportId;
use jiff::Timestamp;
use readiness_checks::{Finding, Report, StepFound, check, texts};
use serde::Serialize;
use texts::Texts;
use ulid::Ulid;
use utoipa::ToSchema;

/// A report of the readiness of a listing for AWS's review.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessReport)]
pub(crate) struct Told<'a> {
    #[schema(value_type = ReportId)]
    id: Ulid,
    /// The time of the report.
    at: Timestamp,
    product: &'a ProductCode,
    /// The name of the listing.
    name: &'a str,
    stage: Stage,
    /// The visibility of the product on AWS Marketplace; null where it could not be read.
    life: Option<Life>,
    /// The steps to the public listing, in their order.
    steps: &'a [StepFound],
    /// The checks, in the order of their steps.
    checks: Vec<ToldFinding<'a>>,
}

/// The result of a check, in the language asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessCheck)]
struct ToldFinding<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    finding: &'a Finding,
    /// The requirement, as a sentence.
    title: String,
    /// The finding, as a sentence.
    found: String,
    /// The remedy; null for a check that this version no longer has.
    mend: Option<String>,
    /// The source of the requirement; null for a check that this version no longer has.
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
