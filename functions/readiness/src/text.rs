//! The report as text.

use domain::language::Language;
use readiness_checks::{Report, Shown};

/// Returns the whole report as text.
pub fn table(report: &Report, language: Language) -> String {
    readiness_checks::table(report, language, Shown { every_check: true, in_colour: false })
}
