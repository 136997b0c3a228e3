//! The report as text.

use readiness_checks::{Report, Shown};
use texts::Language;

/// Returns the whole report as text.
pub fn table(report: &Report, language: Language) -> String {
    readiness_checks::table(report, language, Shown { every_check: true, in_colour: false })
}
