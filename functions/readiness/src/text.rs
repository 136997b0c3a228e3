//! The report as text.

use stallkeeper::readiness::{Report, Shown};
use stallkeeper::texts::Language;

/// Returns the whole report as text.
pub fn table(report: &Report, language: Language) -> String {
    stallkeeper::readiness::table(report, language, Shown { every_check: true, in_colour: false })
}
