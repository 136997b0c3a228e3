//! The report as JSON: as it is stored, and with its messages in one language, so that a client needs no texts.

use domain::catalog::Visibility;
use domain::ids::ProductCode;
use domain::language::Language;
use domain::listing::Stage;
use domain::schema::ReportId;
use jiff::Timestamp;
use readiness_checks::{Finding, Report, StepStatus, check, texts};
use serde::Serialize;
use texts::Texts;
use ulid::Ulid;
use utoipa::ToSchema;

/// A report of the readiness of a listing for AWS's review.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessReport)]
pub(crate) struct LocalizedReport<'a> {
    #[schema(value_type = ReportId)]
    id: Ulid,
    /// The time of the report.
    at: Timestamp,
    product: &'a ProductCode,
    /// The name of the listing.
    name: &'a str,
    stage: Stage,
    /// The visibility of the product on AWS Marketplace; null where it could not be read.
    visibility: Option<Visibility>,
    /// The steps to the public listing, in their order.
    steps: &'a [StepStatus],
    /// The checks, in the order of their steps.
    checks: Vec<LocalizedFinding<'a>>,
}

/// The result of a check, in the language asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessCheck)]
struct LocalizedFinding<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    finding: &'a Finding,
    /// The requirement, as a sentence.
    title: String,
    /// The observation, as a sentence.
    observed: String,
    /// The action that resolves it; null for a check that this version no longer has.
    remediation: Option<String>,
    /// The source of the requirement; null for a check that this version no longer has.
    source: Option<&'static str>,
}

impl<'a> LocalizedReport<'a> {
    /// Adds the texts of a language to a report.
    pub(crate) fn of(report: &'a Report, language: Language) -> Self {
        let Report { id, at, product, name, stage, visibility, steps, checks } = report;
        let texts = texts(language);
        let checks = checks.iter().map(|finding| LocalizedFinding::of(finding, texts)).collect();
        Self { id: *id, at: *at, product, name, stage: *stage, visibility: *visibility, steps, checks }
    }
}

impl<'a> LocalizedFinding<'a> {
    fn of(finding: &'a Finding, texts: &Texts) -> Self {
        let (known, message) = (check(&finding.check), finding.message());
        Self {
            finding,
            title: texts.say(&message),
            observed: finding.message.in_language(texts),
            remediation: known.map(|_| texts.say(&format!("{message}.remediation"))),
            source: known.map(|check| check.source),
        }
    }
}
