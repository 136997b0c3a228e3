//! The path of AWS's events to the stacks: each event waits here until it is due.
//!
//! The EventBridge rule and the SNS subscription of each stack are at the end of the path: an event that no rule
//! matches and a message of a topic without a subscriber are lost.

use std::collections::BTreeMap;

use domain::listing::{Listing, Mode};
use jiff::Timestamp;
use local_aws::{MarketplaceEvent, ScheduledEvent};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::queue::uuid;

/// The events that are not due yet.
#[derive(Debug)]
pub struct Bus {
    event_receiver: UnboundedReceiver<ScheduledEvent>,
    waiting: BTreeMap<(Timestamp, u64), MarketplaceEvent>,
    received: u64,
}

impl Bus {
    /// Creates the bus that receives its events from a channel.
    pub fn new(event_receiver: UnboundedReceiver<ScheduledEvent>) -> Self {
        Self { event_receiver, waiting: BTreeMap::new(), received: 0 }
    }

    /// Removes and returns the next event that is due at `now`, oldest first; events of the same moment
    /// keep their order.
    pub fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, MarketplaceEvent)> {
        self.receive_all();
        let entry = self.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }

    /// Returns the time at which the next event is due.
    pub fn next_due(&mut self) -> Option<Timestamp> {
        self.receive_all();
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Removes the waiting `unsubscribe-success` of a buyer who subscribes again: if they do so immediately, AWS does
    /// not send it (AWS Marketplace user guide, saas-notification).
    fn remove_replaced_unsubscribe(&mut self, event: &MarketplaceEvent) {
        let Some((topic, "subscribe-success", customer)) = sns_action(event) else { return };
        self.waiting.retain(|_, waiting| sns_action(waiting) != Some((topic, "unsubscribe-success", customer)));
    }

    fn receive_all(&mut self) {
        while let Ok(scheduled) = self.event_receiver.try_recv() {
            self.remove_replaced_unsubscribe(&scheduled.event);
            self.waiting.insert((scheduled.at, self.received), scheduled.event);
            self.received += 1;
        }
    }
}

/// Returns the topic, the action and the customer of a message of an SNS topic.
fn sns_action(event: &MarketplaceEvent) -> Option<(&str, &str, &Value)> {
    match event {
        MarketplaceEvent::EventBridge(_) => None,
        MarketplaceEvent::Sns { topic_arn, message } => {
            Some((topic_arn, message.get("action")?.as_str()?, message.get("customer-identifier")?))
        }
    }
}

/// Returns the message that an event becomes on the queue of a stack with these listings, or `None` if the stack does
/// not receive the event.
pub fn message(at: Timestamp, event: &MarketplaceEvent, listings: &[Listing]) -> Option<String> {
    let is_delivered = match event {
        MarketplaceEvent::EventBridge(event) => matches(&event_pattern(), event) == Some(true),
        MarketplaceEvent::Sns { topic_arn, .. } => listings.iter().any(|listing| {
            listing.mode == Mode::Customer && topic_arn.ends_with(&format!("-{}", listing.product_code))
        }),
    };
    is_delivered.then(|| body(at, event))
}

/// Returns the message that an event becomes on a queue that receives it.
pub(crate) fn body(at: Timestamp, event: &MarketplaceEvent) -> String {
    match event {
        MarketplaceEvent::EventBridge(event) => event.to_string(),
        MarketplaceEvent::Sns { topic_arn, message } => envelope(at, topic_arn, message).to_string(),
    }
}

/// The pattern of the rule, as in the template.
pub(crate) fn event_pattern() -> Value {
    json!({
        "source": ["aws.agreement-marketplace"],
        "detail-type": [{ "prefix": "Purchase Agreement " }, { "prefix": "License " }],
    })
}

/// Returns `true` if a pattern matches an event (EventBridge user guide, "Creating event patterns"), or `None` if it is
/// not a pattern, or has a comparison other than with a text, a prefix or a suffix.
pub(crate) fn matches(pattern: &Value, event: &Value) -> Option<bool> {
    let mut all = true;
    for (name, wanted) in pattern.as_object().filter(|members| !members.is_empty())? {
        let is = event.get(name).unwrap_or(&Value::Null);
        all &= match wanted {
            Value::Array(choices) if !choices.is_empty() => {
                let fit: Option<Vec<bool>> = choices.iter().map(|choice| fits(choice, is)).collect();
                fit?.contains(&true)
            }
            nested => matches(nested, is)?,
        };
    }
    Some(all)
}

fn fits(choice: &Value, is: &Value) -> Option<bool> {
    let text = is.as_str();
    match choice {
        Value::String(wanted) => Some(text == Some(wanted)),
        Value::Object(comparison) if comparison.len() == 1 => {
            let part = |name| comparison.get(name).and_then(Value::as_str);
            match (part("prefix"), part("suffix")) {
                (Some(prefix), _) => Some(text.is_some_and(|text| text.starts_with(prefix))),
                (None, Some(suffix)) => Some(text.is_some_and(|text| text.ends_with(suffix))),
                (None, None) => None,
            }
        }
        _ => None,
    }
}

/// A message as SNS writes it to a queue without raw delivery (SNS developer guide, sns-message-and-json-formats).
fn envelope(at: Timestamp, topic: &str, message: &Value) -> Value {
    let message_id = uuid();
    let region = "https://sns.us-east-1.amazonaws.com";
    json!({
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic,
        "Message": message.to_string(),
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "SignatureVersion": "1",
        "Signature": "bm90IGEgc2lnbmF0dXJlOiB0aGlzIGlzIHRoZSBzYW5kYm94",
        "SigningCertURL": format!("{region}/SimpleNotificationService-0000000000000000000000.pem"),
        "UnsubscribeURL": format!("{region}/?Action=Unsubscribe&SubscriptionArn={topic}:{message_id}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::Listings;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn demo() -> Vec<Listing> {
        Listings::Demo.load().unwrap().into_iter().map(|described| described.listing).collect()
    }

    #[test]
    fn the_rule_matches_agreements_and_licenses_of_any_detail_type_and_nothing_else() {
        let event = |source: &str, detail_type: &str| {
            MarketplaceEvent::EventBridge(json!({ "source": source, "detail-type": detail_type, "detail": {} }))
        };
        let source = "aws.agreement-marketplace";
        for received in ["Purchase Agreement Created - Proposer", "License Updated - Manufacturer", "License New Thing"]
        {
            assert!(message(AT, &event(source, received), &[]).is_some(), "{received}");
        }
        for dropped in ["Agreement Cancellation Request Approved - Proposer", "Licenses", "license updated", ""] {
            assert!(message(AT, &event(source, dropped), &[]).is_none(), "{dropped}");
        }
        assert!(message(AT, &event("aws.marketplacecatalog", "License Updated - Manufacturer"), &[]).is_none());
    }

    #[test]
    fn a_pattern_matches_the_allowed_values_of_every_field() {
        let event = json!({ "source": "aws.a", "detail": { "kind": "License Updated" } });
        for (pattern, wanted) in [
            (json!({ "source": ["aws.b", "aws.a"] }), Some(true)),
            (json!({ "source": ["aws.b"] }), Some(false)),
            (json!({ "source": ["aws.a"], "detail": { "kind": [{ "suffix": "Updated" }] } }), Some(true)),
            (json!({ "source": ["aws.a"], "detail": { "kind": [{ "prefix": "Updated" }] } }), Some(false)),
            (json!({ "detail": { "other": ["x"] } }), Some(false)),
            (json!({ "source": [{ "wildcard": "aws.*" }] }), None),
            (json!({ "source": "aws.a" }), None),
            (json!({ "source": [] }), None),
            (json!({}), None),
        ] {
            assert_eq!(matches(&pattern, &event), wanted, "{pattern}");
        }
    }

    #[test]
    fn a_topic_is_delivered_only_to_the_stack_of_its_legacy_listing() {
        let topic = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-";
        let event = |code: &str| MarketplaceEvent::Sns {
            topic_arn: format!("{topic}{code}"),
            message: json!({ "action": "x" }),
        };
        let listings = demo();
        let body = message(AT, &event("7demolegacy00000000000ab"), &listings).unwrap();
        let envelope: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(envelope["Type"], "Notification");
        assert_eq!(envelope["Message"], r#"{"action":"x"}"#);
        assert_eq!(envelope["Timestamp"], "1970-01-01T00:00:00.000Z");
        for member in ["MessageId", "TopicArn", "SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"] {
            assert!(envelope[member].is_string(), "{member}");
        }
        assert!(message(AT, &event("4democontract0000000000ab"), &listings).is_none(), "not a legacy listing");
        let elsewhere: Vec<Listing> = listings.into_iter().filter(|listing| listing.mode == Mode::License).collect();
        assert!(message(AT, &event("7demolegacy00000000000ab"), &elsewhere).is_none());
    }

    #[tokio::test]
    async fn events_wait_until_they_are_due_and_keep_their_order() {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut bus = Bus::new(receiver);
        let second = |second| Timestamp::from_second(second).unwrap();
        for (at, name) in [(5, "c"), (1, "a"), (1, "b")] {
            sender.send(ScheduledEvent { at: second(at), event: MarketplaceEvent::EventBridge(name.into()) }).unwrap();
        }
        let taken = |bus: &mut Bus, now| {
            std::iter::from_fn(|| bus.take_due(second(now))).map(|(_, event)| event).collect::<Vec<_>>()
        };
        assert_eq!(bus.next_due(), Some(second(1)));
        assert_eq!(
            taken(&mut bus, 4),
            [MarketplaceEvent::EventBridge("a".into()), MarketplaceEvent::EventBridge("b".into())]
        );
        assert_eq!(bus.next_due(), Some(second(5)));
        assert_eq!(taken(&mut bus, 5), [MarketplaceEvent::EventBridge("c".into())]);
        assert_eq!(bus.next_due(), None);
    }
}
