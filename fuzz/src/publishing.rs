//! Input from Stallkeeper's own table and topic. Stallkeeper wrote it, and the functions still treat it as untrusted.

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::sqs::SqsEvent;
use domain::notification::OutboundEvent;
use mailer::{MAILED, Mailer};
use notifier::Notifier;
use serde_json::{Value, json};
use store::event_in;

use crate::call::Call;
use crate::invocation::{TABLE, invoke};
use crate::table::{ADDRESS, written};

const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:fuzz";

/// Passes the image of an item to the notifier. Returns the event in the image, the number of records that have to be
/// delivered again, and the calls to AWS. Returns `None` if the input is not an image.
fn publish(image: &[u8]) -> Option<(Option<OutboundEvent>, usize, Vec<Call>)> {
    let image: Value = serde_json::from_slice(image).ok()?;
    let change = json!({
        "Keys": {}, "NewImage": image, "SequenceNumber": "1", "SizeBytes": 1, "StreamViewType": "NEW_IMAGE",
    });
    let record = json!({
        "eventID": "1", "eventName": "INSERT", "awsRegion": "us-east-1", "eventSource": "aws:dynamodb",
        "dynamodb": change,
    });
    let event: Event = serde_json::from_value(json!({ "Records": [record] })).ok()?;
    let published = event.records.first().and_then(|record| event_in(record.change.new_image.clone()).ok());
    let (response, calls) = invoke(async |config, clock| Notifier::new(&config, TOPIC, clock).handle(event).await);
    Some((published, response.batch_item_failures.len(), calls))
}

/// Passes a message to the mailer. Returns the number of messages that have to be delivered again, and the calls to
/// AWS.
fn mail(body: &str) -> (usize, Vec<Call>) {
    let event = json!({ "Records": [{ "messageId": "0", "body": body }] });
    let event: SqsEvent = serde_json::from_value(event).expect("an event of SQS");
    let (response, calls) =
        invoke(async |config, clock| Mailer::new(&config, TABLE, "no-reply@example.com", clock).handle(event).await);
    (response.batch_item_failures.len(), calls)
}

/// Fuzzes the image of an item in the table's stream. An image that is an event is published once, unchanged. Nothing
/// else is published.
pub fn stream(input: &[u8]) {
    let Some((published, again, calls)) = publish(input) else { return };
    assert_eq!(again, 0, "no repetition helps, and the topic answers");
    let Some(published) = published else {
        assert!(calls.is_empty());
        return;
    };
    let [call] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!((call.operation.as_str(), call.body["TopicArn"].as_str()), ("Publish", Some(TOPIC)));
    let message = call.body["Message"].as_str().expect("a message");
    assert_eq!(serde_json::from_str::<OutboundEvent>(message).expect("an event"), published);
}

/// Fuzzes a message of the topic, as the mailer's queue delivers it.
///
/// Mail goes only to the contact of the license, and only for the event types that have a mail. A message that is not
/// an event causes no mail and is delivered again.
pub fn topic_message(input: &[u8]) {
    let Ok(body) = std::str::from_utf8(input) else { return };
    let (again, calls) = mail(body);
    written(&calls);
    let Ok(published) = serde_json::from_str::<OutboundEvent>(body) else {
        assert_eq!((again, calls.len()), (1, 0));
        return;
    };
    let same = serde_json::to_string(&published).expect("JSON");
    assert_eq!(serde_json::from_str::<OutboundEvent>(&same).expect("an event"), published);
    let mails: Vec<_> = calls.iter().filter(|call| call.operation == "SendEmail").collect();
    assert!(mails.len() <= 1);
    for mail in mails {
        assert!(MAILED.contains(&published.kind.name()) && published.license.as_str().starts_with("l-ca"));
        assert_eq!(mail.body["Destination"], json!({ "ToAddresses": [ADDRESS] }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_input_is_accepted() {
        let (published, _, calls) = publish(include_bytes!("../corpus/stream/event-0")).unwrap();
        assert!(published.is_some() && calls.len() == 1);
        let (again, calls) = mail(include_str!("../corpus/topic_message/completed"));
        assert!(again == 0 && calls.iter().any(|call| call.operation == "SendEmail"), "{calls:?}");
    }
}
