//! The report as text.

use domain::language::Language;
use readiness_checks::{Report, TableOptions};

/// Returns the whole report as text.
pub fn table(report: &Report, language: Language) -> String {
    readiness_checks::table(report, language, TableOptions { show_all_checks: true, use_color: false })
}
