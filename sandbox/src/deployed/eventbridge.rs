//! The rules on the default bus, as EventBridge describes them (EventBridge API reference, DescribeRule and
//! ListTargetsByRule).

use local_aws::host::{BadInput, Cursor, Document, Input, Record, ServiceError, TextRule, only, query};

use super::queues;
use super::stacks::Stacks;
use crate::stack::Stack;
use crate::wiring::Rule;

/// The model's `RuleName`.
const RULE_NAME: TextRule = TextRule {
    shortest: 1,
    longest: 64,
    pattern: r"[\.\-_A-Za-z0-9]+",
    allows: |c| c.is_ascii_alphanumeric() || "._-".contains(c),
};

/// The model's `EventBusNameOrArn`.
const BUS_NAME: TextRule = TextRule {
    shortest: 1,
    longest: 1600,
    pattern: r"(arn:aws[\w-]*:events:[a-z]+-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?[\/\.\-_A-Za-z0-9]+",
    allows: |c| c.is_ascii_alphanumeric() || ":/._-".contains(c),
};

const NEXT_TOKEN: TextRule = TextRule { shortest: 1, longest: 2048, pattern: ".*", allows: |_| true };

/// The most targets on a page.
const MOST_TARGETS: usize = 100;

const BUS: &str = "default";

impl Stacks {
    pub(super) fn describe_rule(&self, request: &Document) -> Result<Document, ServiceError> {
        let input = Input::of(request, "request").map_err(refused)?;
        only(input, "request", &["Name", "EventBusName"]).map_err(refused)?;
        let name = input.required_text("Name", &RULE_NAME).map_err(refused)?;
        let (_, rule) = self.rule(name, input.text("EventBusName", &BUS_NAME).map_err(refused)?)?;
        Ok(Record::new()
            .with("Name", name)
            .with("Arn", format!("arn:aws:events:us-east-1:{}:rule/{name}", self.account))
            .with("EventPattern", rule.pattern.to_string())
            .with("State", rule.state.as_str())
            .with("EventBusName", BUS)
            .with("CreatedBy", self.account.as_str())
            .into())
    }

    pub(super) fn list_targets_by_rule(&self, request: &Document) -> Result<Document, ServiceError> {
        let input = Input::of(request, "request").map_err(refused)?;
        only(input, "request", &["Rule", "EventBusName", "Limit", "NextToken"]).map_err(refused)?;
        let name = input.required_text("Rule", &RULE_NAME).map_err(refused)?;
        let (stack, rule) = self.rule(name, input.text("EventBusName", &BUS_NAME).map_err(refused)?)?;
        let size = input.page_size("Limit", MOST_TARGETS).map_err(refused)?;
        let cursor = match input.text("NextToken", &NEXT_TOKEN).map_err(refused)? {
            None => Cursor::start(query(request), 0),
            Some(token) => Cursor::read(token, query(request))
                .ok_or_else(|| refused(BadInput::breaks("NextToken", "come from the previous answer")))?,
        };
        let letters = Record::new().with("Arn", queues::dead_letters_arn(&stack.queue));
        let target = Record::new()
            .with("Id", "marketplace-events")
            .with("Arn", stack.queue.arn())
            .with("DeadLetterConfig", letters);
        let targets = if rule.has_target { vec![target] } else { Vec::new() };
        let (targets, next) = cursor.page(targets, size);
        Ok(Record::new().with("Targets", targets).with_some("NextToken", next).into())
    }

    fn rule(&self, name: &str, bus: Option<&str>) -> Result<(&Stack, Rule), ServiceError> {
        let not_found = |message| ServiceError::modelled("ResourceNotFoundException", 400, message);
        let default = format!("arn:aws:events:us-east-1:{}:event-bus/{BUS}", self.account);
        if let Some(other) = bus.filter(|bus| *bus != BUS && *bus != default) {
            return Err(not_found(format!("Event bus {other} does not exist.")));
        }
        let stack = self.stacks.iter().find(|stack| stack.names.marketplace_events_rule == name);
        let found = stack.and_then(|stack| Some((stack.as_ref(), stack.wiring().rule?)));
        found.ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus {BUS}.")))
    }
}

fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError::validation(bad.sentence()))
}
