//! The backups of the stacks' tables, as DynamoDB describes them (DynamoDB API reference, DescribeContinuousBackups).
//! The embedded DynamoDB has no backups, so it cannot answer this.

use jiff::Timestamp;
use local_aws::host::{BadInput, Document, Input, Record, ServiceError, TextRule, only};

use super::stacks::Stacks;

/// The model's `TableArn`: a name or an ARN.
const TABLE: TextRule = TextRule {
    shortest: 1,
    longest: 1024,
    pattern: r"[a-zA-Z0-9_.:/-]+",
    allows: |c| c.is_ascii_alphanumeric() || "_.:/-".contains(c),
};

/// The number of days that DynamoDB can restore, unless configured otherwise.
const RECOVERY_DAYS: i64 = 35;

impl Stacks {
    pub(super) fn continuous_backups(&self, request: &Document, now: Timestamp) -> Result<Document, ServiceError> {
        let input = Input::of(request, "request").map_err(refused)?;
        only(input, "request", &["TableName"]).map_err(refused)?;
        let table = input.required_text("TableName", &TABLE).map_err(refused)?;
        let name = table.rsplit('/').next().unwrap_or_default();
        let stack =
            self.stacks.iter().find(|stack| stack.table == name).ok_or_else(|| {
                ServiceError::modelled("TableNotFoundException", 400, format!("Table not found: {name}"))
            })?;
        let recovery = match stack.wiring().point_in_time_recovery {
            false => Record::new().with("PointInTimeRecoveryStatus", "DISABLED"),
            true => Record::new()
                .with("PointInTimeRecoveryStatus", "ENABLED")
                .with("RecoveryPeriodInDays", RECOVERY_DAYS)
                .with("EarliestRestorableDateTime", self.since)
                .with("LatestRestorableDateTime", now),
        };
        let description =
            Record::new().with("ContinuousBackupsStatus", "ENABLED").with("PointInTimeRecoveryDescription", recovery);
        Ok(Record::new().with("ContinuousBackupsDescription", description).into())
    }
}

fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError::validation(bad.sentence()))
}
