//! The schedules, as EventBridge Scheduler describes them (EventBridge Scheduler API reference, GetSchedule).

use local_aws::host::{BadInput, Document, Input, Record, ServiceError, TextRule, only};

use super::queues;
use super::stacks::Stacks;

/// The model's `Name` and `ScheduleGroupName`.
const NAME: TextRule = TextRule {
    shortest: 1,
    longest: 64,
    pattern: "^[0-9a-zA-Z-_.]+$",
    allows: |c| c.is_ascii_alphanumeric() || "-_.".contains(c),
};

/// The default maximum age of a scheduled invocation, in seconds.
const A_DAY_IN_SECONDS: i64 = 86_400;

impl Stacks {
    pub(super) fn get_schedule(&self, request: &Document) -> Result<Document, ServiceError> {
        let input = Input::of(request, "request").map_err(refused)?;
        only(input, "request", &["Name", "groupName"]).map_err(refused)?;
        let name = input.required_text("Name", &NAME).map_err(refused)?;
        let group = input.text("groupName", &NAME).map_err(refused)?.unwrap_or("default");
        if group != "default" {
            return Err(not_found(format!("Schedule group {group} does not exist.")));
        }
        let scheduled = self.stacks.iter().find_map(|stack| {
            let (schedule, _) = stack.names.schedules.iter().find(|(_, known)| *known == name)?;
            Some((stack, *schedule, *stack.wiring().schedules.get(schedule)?))
        });
        let (stack, schedule, state) =
            scheduled.ok_or_else(|| not_found(format!("Schedule {name} does not exist.")))?;
        let arn = |service: &str, of: &str| format!("arn:aws:{service}:{}:{of}", self.account);
        let function = stack.name_of(schedule.function());
        let retries = Record::new().with("MaximumRetryAttempts", 0).with("MaximumEventAgeInSeconds", A_DAY_IN_SECONDS);
        let target = Record::new()
            .with("Arn", arn("lambda:us-east-1", &format!("function:{function}")))
            .with("RoleArn", arn("iam:", &format!("role/{}", stack.name_of(schedule.role()))))
            .with("RetryPolicy", retries)
            .with("DeadLetterConfig", Record::new().with("Arn", queues::dead_letters_arn(&stack.runs)));
        Ok(Record::new()
            .with("Name", name)
            .with("Arn", arn("scheduler:us-east-1", &format!("schedule/{group}/{name}")))
            .with("GroupName", group)
            .with("State", state.as_str())
            .with("ScheduleExpression", schedule.expression())
            .with("ScheduleExpressionTimezone", "UTC")
            .with("FlexibleTimeWindow", Record::new().with("Mode", "OFF"))
            .with("Target", target)
            .with("ActionAfterCompletion", "NONE")
            .with("CreationDate", self.since)
            .with("LastModificationDate", self.since)
            .into())
    }
}

fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError::modelled("ValidationException", 400, bad.sentence()))
}

fn not_found(message: String) -> ServiceError {
    ServiceError::modelled("ResourceNotFoundException", 404, message)
}
