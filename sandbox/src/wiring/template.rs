//! The parts of `template.yaml` that this module reports.

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The retention of the log group `AuditLog`, in days.
pub(super) const AUDIT_RETENTION: u32 = 400;

/// Returns the logical ids of the alarms, in the template's order: the line before the type of an alarm.
pub(super) fn alarms() -> impl Iterator<Item = &'static str> {
    let lines = TEMPLATE.lines().zip(TEMPLATE.lines().skip(1));
    let ids = lines.filter(|(_, next)| next.trim() == "Type: AWS::CloudWatch::Alarm");
    ids.filter_map(|(line, _)| line.trim().strip_suffix(':'))
}
