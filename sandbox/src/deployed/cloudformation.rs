//! The stacks, as CloudFormation describes them: the template's outputs that apply to the sandbox, and the names of the
//! functions that Lambda runs.

use local_aws::host::{Document, Record, ServiceError};

use super::stacks::{Stacks, text};
use crate::products::fulfillment_url;
use crate::stack::{RECONCILE_FUNCTION, Stack};

impl Stacks {
    pub(super) fn describe_stacks(&self, request: &Document) -> Result<Document, ServiceError> {
        let stacks: Vec<Document> = match text(request, "StackName") {
            Some(_) => vec![self.described(self.stack(request)?)],
            None => self.stacks.iter().map(|stack| self.described(stack)).collect(),
        };
        let result = Record::new().with("Stacks", Document::List(stacks));
        Ok(Record::new().with("DescribeStacksResult", Document::from(result)).into())
    }

    pub(super) fn describe_stack_resource(&self, request: &Document) -> Result<Document, ServiceError> {
        let stack = self.stack(request)?;
        let name = text(request, "LogicalResourceId").unwrap_or_default();
        if name != RECONCILE_FUNCTION {
            return Err(invalid(format!("Resource {name} does not exist for stack {}", stack.name())));
        }
        let detail = Record::new()
            .with("StackName", stack.name())
            .with("StackId", self.id(stack))
            .with("LogicalResourceId", name)
            .with("PhysicalResourceId", stack.name_of(name))
            .with("ResourceType", "AWS::Lambda::Function")
            .with("ResourceStatus", "CREATE_COMPLETE")
            .with("LastUpdatedTimestamp", self.since.to_string());
        let result = Record::new().with("StackResourceDetail", Document::from(detail));
        Ok(Record::new().with("DescribeStackResourceResult", Document::from(result)).into())
    }

    /// Returns the stack that a request names, by its name or its id.
    fn stack(&self, request: &Document) -> Result<&Stack, ServiceError> {
        let name = text(request, "StackName").unwrap_or_default();
        let found = self.stacks.iter().find(|stack| stack.name() == name || self.id(stack) == name);
        found.map(AsRef::as_ref).ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }

    fn described(&self, stack: &Stack) -> Document {
        let outputs = self
            .outputs(stack)
            .into_iter()
            .map(|(name, value)| Record::new().with("OutputKey", name).with("OutputValue", value));
        Record::new()
            .with("StackName", stack.name())
            .with("StackId", self.id(stack))
            .with("StackStatus", "CREATE_COMPLETE")
            .with("CreationTime", self.since.to_string())
            .with("Outputs", outputs.collect::<Vec<_>>())
            .into()
    }

    fn outputs(&self, stack: &Stack) -> [(&'static str, String); 10] {
        [
            // As with a domain of its own: AWS's catalog does not accept an address like that of this machine.
            ("RegistrationUrl", fulfillment_url(stack.stage)),
            ("ApiUrl", stack.url.clone()),
            ("EventsTopicArn", stack.topic.clone()),
            ("TableName", stack.table.clone()),
            ("MarketplaceEventsQueueUrl", self.queue_url(stack.queue.arn())),
            ("MarketplaceEventsDeadLettersUrl", self.dead_letters_url(&stack.queue)),
            ("MailQueueUrl", self.queue_url(stack.mail.arn())),
            ("MailDeadLettersUrl", self.dead_letters_url(&stack.mail)),
            ("RunDeadLettersUrl", self.dead_letters_url(&stack.runs)),
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }

    fn id(&self, stack: &Stack) -> String {
        format!("arn:aws:cloudformation:us-east-1:{}:stack/{}/sandbox", self.account, stack.name())
    }
}

fn invalid(message: String) -> ServiceError {
    ServiceError { modelled: false, ..ServiceError::modelled("ValidationError", 400, message) }
}
