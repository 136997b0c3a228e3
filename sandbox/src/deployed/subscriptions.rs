//! The subscriptions to AWS's topics, as SNS describes them (SNS API reference, GetSubscriptionAttributes).

use local_aws::host::{BadInput, Document, Input, Record, ServiceError, TextRule, only};

use super::queues;
use super::stacks::Stacks;
use crate::wiring::Subscription;

const ARN: TextRule = TextRule { shortest: 1, longest: 2048, pattern: ".+", allows: |_| true };

impl Stacks {
    pub(super) fn subscription_attributes(&self, request: &Document) -> Result<Document, ServiceError> {
        let input = Input::of(request, "request").map_err(refused)?;
        only(input, "request", &["Action", "SubscriptionArn", "Version"]).map_err(refused)?;
        let arn = input.required_text("SubscriptionArn", &ARN).map_err(refused)?;
        let Some((topic, _)) = arn.rsplit_once(':').filter(|_| arn.starts_with("arn:aws:sns:")) else {
            return Err(invalid("Invalid parameter: SubscriptionArn"));
        };
        let found = self.stacks.iter().find_map(|stack| {
            let (name, _) = stack.names.subscriptions.iter().find(|(_, known)| *known == arn)?;
            Some((stack, *stack.wiring().subscriptions.get(name)?))
        });
        let (stack, subscription) =
            found.ok_or_else(|| ServiceError::modelled("NotFound", 404, "Subscription does not exist"))?;
        let redrive = serde_json::json!({ "deadLetterTargetArn": queues::dead_letters_arn(&stack.queue) });
        let is_pending = subscription == Subscription::Pending;
        let attributes = [
            ("SubscriptionArn", arn.to_owned()),
            ("TopicArn", topic.to_owned()),
            ("Owner", self.account.clone()),
            ("Protocol", "sqs".to_owned()),
            ("Endpoint", stack.queue.arn().to_owned()),
            ("PendingConfirmation", is_pending.to_string()),
            ("ConfirmationWasAuthenticated", (!is_pending).to_string()),
            ("RawMessageDelivery", "false".to_owned()),
            ("RedrivePolicy", redrive.to_string()),
        ];
        let entries: Vec<Record> =
            attributes.into_iter().map(|(name, value)| Record::new().with("key", name).with("value", value)).collect();
        let result = Record::new().with("Attributes", Record::new().with("entry", entries));
        Ok(Record::new().with("GetSubscriptionAttributesResult", result).into())
    }
}

fn refused(bad: BadInput) -> ServiceError {
    bad.into_error(|bad| invalid(&format!("Invalid parameter: {}", bad.sentence())))
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::modelled("InvalidParameter", 400, message)
}
