//! The alarms, as CloudWatch describes them (CloudWatch API reference, DescribeAlarms).

use local_aws::host::{self, BadInput, Cursor, Document, Input, Record, ServiceError, TextRule, only, query};

use super::stacks::Stacks;

/// The model's `AlarmName` and `AlarmNamePrefix`.
const NAME: TextRule = TextRule { shortest: 1, longest: 255, pattern: ".+", allows: |_| true };

const NEXT_TOKEN: TextRule = TextRule { longest: 2048, ..NAME };

/// The members of the request that the sandbox serves.
const SERVED: [&str; 6] = ["AlarmNamePrefix", "AlarmNames", "AlarmTypes", "MaxRecords", "NextToken", "StateValue"];

/// The most alarms on a page, and the default number of alarms on a page.
const MOST: usize = 100;
const STANDARD: usize = 50;

/// A parsed DescribeAlarms request.
struct MetricsRequest<'a> {
    prefix: Option<&'a str>,
    names: Option<Vec<&'a str>>,
    state: Option<&'a str>,
    /// `true` if metric alarms are requested; the sandbox has no others.
    on_metrics: bool,
    size: usize,
}

fn read(request: &Document) -> Result<MetricsRequest<'_>, BadInput> {
    let input = Input::of(request, "request")?;
    only(input, "request", &SERVED)?;
    let texts = |member: &'static str| {
        let listed = input.list(member)?;
        listed.map(|values| values.iter().map(|value| host::text(value, member, &NAME)).collect()).transpose()
    };
    let (prefix, names): (_, Option<Vec<&str>>) = (input.text("AlarmNamePrefix", &NAME)?, texts("AlarmNames")?);
    if names.as_ref().is_some_and(|names| prefix.is_some() || names.len() > MOST) {
        return Err(BadInput::breaks(
            "AlarmNames",
            format!("have {MOST} entries at most, and no AlarmNamePrefix beside"),
        ));
    }
    let state = input.text("StateValue", &NAME)?;
    if state.is_some_and(|state| !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state)) {
        return Err(BadInput::breaks("StateValue", "satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"));
    }
    let types: Option<Vec<&str>> = texts("AlarmTypes")?;
    let known = ["MetricAlarm", "CompositeAlarm", "LogAlarm"];
    if types.iter().flatten().any(|given| !known.contains(given)) {
        return Err(BadInput::breaks("AlarmTypes", format!("satisfy enum value set: [{}]", known.join(", "))));
    }
    // "If you omit this parameter, only metric alarms are returned".
    let on_metrics = types.is_none_or(|types| types.contains(&"MetricAlarm"));
    let size = match input.value("MaxRecords") {
        None => STANDARD,
        Some(_) => input.page_size("MaxRecords", MOST)?,
    };
    Ok(MetricsRequest { prefix, names, state, on_metrics, size })
}

impl Stacks {
    pub(super) fn describe_alarms(&self, request: &Document) -> Result<Document, ServiceError> {
        let input = read(request).map_err(refused)?;
        let cursor = match Input::of(request, "request").and_then(|input| input.text("NextToken", &NEXT_TOKEN)) {
            Ok(None) => Cursor::start(query(request), 0),
            Ok(Some(token)) => Cursor::read(token, query(request)).ok_or_else(|| {
                ServiceError::modelled("InvalidNextToken", 400, "The next token specified is invalid.")
            })?,
            Err(bad) => return Err(refused(bad)),
        };
        let mut alarms: Vec<(String, &'static str, bool)> = Vec::new();
        for stack in &self.stacks {
            let wiring = stack.wiring();
            let has_actions = |alarm: &String| !wiring.disabled_alarm_actions.contains(alarm);
            let states = wiring.alarms.iter();
            alarms.extend(states.map(|(alarm, state)| (stack.names.alarm(alarm), state.as_str(), has_actions(alarm))));
        }
        alarms.retain(|(name, state, _)| {
            input.on_metrics
                && input.prefix.is_none_or(|prefix| name.starts_with(prefix))
                && input.names.as_ref().is_none_or(|names| names.contains(&name.as_str()))
                && input.state.is_none_or(|wanted| wanted == *state)
        });
        alarms.sort();
        let described = alarms
            .into_iter()
            .map(|(name, state, actions_enabled)| self.alarm(&name, state, actions_enabled))
            .collect();
        let (page, next) = cursor.page(described, input.size);
        Ok(Record::new()
            .with("MetricAlarms", page)
            .with("CompositeAlarms", Vec::<Record>::new())
            .with_some("NextToken", next)
            .into())
    }

    fn alarm(&self, name: &str, state: &str, actions_enabled: bool) -> Record {
        Record::new()
            .with("AlarmName", name)
            .with("AlarmArn", format!("arn:aws:cloudwatch:us-east-1:{}:alarm:{name}", self.account))
            .with("AlarmConfigurationUpdatedTimestamp", self.since)
            .with("ActionsEnabled", actions_enabled)
            .with("StateValue", state)
            .with("StateUpdatedTimestamp", self.since)
    }
}

fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError { code: "ValidationError", ..ServiceError::validation(bad.sentence()) })
}
