//! What `template.yaml` deploys, as far as it is told of here.

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// For how many days the log group `AuditLog` keeps what is written.
pub(super) const AUDIT_RETENTION: u32 = 400;

/// The logical ids of the alarms, in the template's order: what stands in front of that type.
pub(super) fn alarms() -> impl Iterator<Item = &'static str> {
    let lines = TEMPLATE.lines().zip(TEMPLATE.lines().skip(1));
    let ids = lines.filter(|(_, next)| next.trim() == "Type: AWS::CloudWatch::Alarm");
    ids.filter_map(|(line, _)| line.trim().strip_suffix(':'))
}
