//! The audit logs, as CloudWatch Logs describes them (CloudWatch Logs API reference, DescribeLogGroups).

use local_aws::host::{self, BadInput, Cursor, Document, Input, Record, ServiceError, TextRule, only, query};

use super::stacks::Stacks;

/// The model's `LogGroupName`.
const NAME: TextRule = TextRule {
    shortest: 1,
    longest: 512,
    pattern: r"[\.\-_/#A-Za-z0-9]+",
    allows: |c| c.is_ascii_alphanumeric() || "._/#-".contains(c),
};

/// The model's `LogGroupIdentifier`: a name or an ARN.
const IDENTIFIER: TextRule = TextRule {
    shortest: 1,
    longest: 2048,
    pattern: r"[\w#+=/:,.@-]*",
    allows: |c| c.is_ascii_alphanumeric() || "_#+=/:,.@-".contains(c),
};

const NEXT_TOKEN: TextRule = TextRule { shortest: 1, longest: 2048, pattern: ".*", allows: |_| true };

/// The most log groups on a page, and the most identifiers in a request.
const MOST: usize = 50;

impl Stacks {
    pub(super) fn describe_log_groups(&self, request: &Document) -> Result<Document, ServiceError> {
        let input = read(request).map_err(refused)?;
        let mut groups: Vec<Group> = self
            .stacks
            .iter()
            .filter_map(|stack| {
                let kept_days = stack.wiring().audit_log?.retention_days;
                Some(Group { name: stack.names.audit_log.clone(), kept_days })
            })
            .collect();
        groups.retain(|group| {
            input.prefix.is_none_or(|prefix| group.name.starts_with(prefix))
                && input
                    .identifiers
                    .as_ref()
                    .is_none_or(|wanted| wanted.iter().any(|one| *one == group.name || *one == self.arn(group)))
        });
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        let described = groups.iter().map(|group| self.log_group(group)).collect();
        let (page, next) = input.cursor.page(described, input.size);
        Ok(Record::new().with("logGroups", page).with_some("nextToken", next).into())
    }

    fn log_group(&self, group: &Group) -> Record {
        let arn = self.arn(group);
        Record::new()
            .with("logGroupName", group.name.as_str())
            .with("arn", format!("{arn}:*"))
            .with("logGroupArn", arn)
            .with("creationTime", self.since.as_millisecond())
            .with("metricFilterCount", 0)
            .with("storedBytes", 0)
            .with("logGroupClass", "STANDARD")
            .with_some("retentionInDays", group.kept_days.map(i64::from))
    }

    fn arn(&self, group: &Group) -> String {
        format!("arn:aws:logs:us-east-1:{}:log-group:{}", self.account, group.name)
    }
}

/// An existing log group.
struct Group {
    name: String,
    kept_days: Option<u32>,
}

struct LogsRequest<'a> {
    prefix: Option<&'a str>,
    identifiers: Option<Vec<&'a str>>,
    size: usize,
    cursor: Cursor,
}

fn read(request: &Document) -> Result<LogsRequest<'_>, BadInput> {
    let input = Input::of(request, "request")?;
    only(input, "request", &["logGroupNamePrefix", "logGroupIdentifiers", "limit", "nextToken"])?;
    let prefix = input.text("logGroupNamePrefix", &NAME)?;
    let identifiers = input.list("logGroupIdentifiers")?.map(|values| {
        values.iter().map(|value| host::text(value, "logGroupIdentifiers", &IDENTIFIER)).collect::<Result<Vec<_>, _>>()
    });
    let identifiers = identifiers.transpose()?;
    if identifiers.as_ref().is_some_and(|wanted| prefix.is_some() || wanted.is_empty() || wanted.len() > MOST) {
        let rule = format!("have from 1 to {MOST} entries, and no logGroupNamePrefix beside");
        return Err(BadInput::breaks("logGroupIdentifiers", rule));
    }
    let cursor = match input.text("nextToken", &NEXT_TOKEN)? {
        None => Cursor::start(query(request), 0),
        Some(token) => Cursor::read(token, query(request))
            .ok_or_else(|| BadInput::breaks("nextToken", "come from the previous answer"))?,
    };
    Ok(LogsRequest { prefix, identifiers, size: input.page_size("limit", MOST)?, cursor })
}

fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| ServiceError::modelled("InvalidParameterException", 400, bad.sentence()))
}
