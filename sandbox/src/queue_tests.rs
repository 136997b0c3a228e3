use aws_lambda_events::sqs::BatchItemFailure;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn queue(bodies: &[&str]) -> Queue {
    let queue = Queue::new("arn:aws:sqs:us-east-1:444455556666:news".to_owned(), Redelivery::MARKETPLACE_EVENTS);
    for body in bodies {
        queue.put((*body).to_owned(), START);
    }
    queue
}

fn bodies(batch: &Batch) -> Vec<String> {
    batch.event().unwrap().records.into_iter().map(|record| record.body.unwrap()).collect()
}

fn done() -> Option<SqsBatchResponse> {
    Some(SqsBatchResponse::default())
}

fn failed(id: &str) -> Option<SqsBatchResponse> {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id.to_owned();
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures.push(failure);
    Some(response)
}

#[test]
fn a_record_has_the_members_of_an_sqs_record() {
    let queue = queue(&["hello"]);
    let event = queue.receive(START).unwrap().event().unwrap();
    let record = &event.records[0];
    assert_eq!(record.md5_of_body.as_deref(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(record.event_source.as_deref(), Some("aws:sqs"));
    assert_eq!(record.event_source_arn.as_deref(), Some("arn:aws:sqs:us-east-1:444455556666:news"));
    assert_eq!(record.aws_region.as_deref(), Some("us-east-1"));
    assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
    assert_eq!(record.attributes["SentTimestamp"], "0");
    assert_eq!(record.message_id.as_ref().unwrap().len(), 36);
    assert!(record.receipt_handle.is_some());
}

#[test]
fn a_batch_has_at_most_ten_messages() {
    let queue = queue(&["x"; 12]);
    let first = queue.receive(START).unwrap();
    assert_eq!(bodies(&first).len(), 10);
    let second = queue.receive(START).unwrap();
    assert_eq!(bodies(&second).len(), 2);
    assert!(queue.receive(START).is_none());
}

#[test]
fn reported_failures_are_redelivered_after_the_timeout_and_other_messages_are_deleted() {
    let queue = queue(&["good", "bad"]);
    let batch = queue.receive(START).unwrap();
    let bad = batch.event().unwrap().records[1].message_id.clone().unwrap();
    queue.finish(&batch, failed(&bad));
    assert!(queue.receive(START + SignedDuration::from_secs(89)).is_none());
    assert_eq!(queue.next_due(), Some(START + Redelivery::MARKETPLACE_EVENTS.after));
    let again = queue.receive(START + Redelivery::MARKETPLACE_EVENTS.after).unwrap();
    assert_eq!(bodies(&again), ["bad"]);
    assert_eq!(again.event().unwrap().records[0].attributes["ApproximateReceiveCount"], "2");
}

#[test]
fn no_answer_and_a_report_of_an_unknown_message_fail_the_whole_batch() {
    for answer in [None, failed("no such message"), failed("")] {
        let queue = queue(&["one", "two"]);
        let batch = queue.receive(START).unwrap();
        queue.finish(&batch, answer);
        assert_eq!(queue.overview().in_flight, 2);
    }
}

#[test]
fn after_ten_receives_a_message_is_a_dead_letter() {
    let queue = queue(&["poison"]);
    let mut now = START;
    for _ in 0..10 {
        let batch = queue.receive(now).unwrap();
        queue.finish(&batch, None);
        now += Redelivery::MARKETPLACE_EVENTS.after;
    }
    assert!(queue.receive(now).is_none());
    let overview = queue.overview();
    assert_eq!((overview.waiting, overview.in_flight), (0, 0));
    assert_eq!(overview.dead_letters[0].body, "poison");
    assert_eq!(overview.dead_letters[0].receives, 10);
}

#[test]
fn a_held_queue_can_be_duplicated_and_shuffled_and_delivers_everything_when_released() {
    let queue = queue(&["a", "b", "c"]);
    queue.hold();
    queue.duplicate(2);
    assert!(queue.receive(START).is_none());
    assert_eq!(queue.overview().waiting, 9);
    queue.reorder(7);
    queue.release();
    let batch = queue.receive(START).unwrap();
    let mut given = bodies(&batch);
    assert_ne!(given, ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
    given.sort();
    assert_eq!(given, ["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
}

#[test]
fn the_same_seed_gives_the_same_order() {
    let shuffled = |seed| {
        let mut items: Vec<u32> = (0..20).collect();
        shuffle(&mut items, seed);
        items
    };
    assert_eq!(shuffled(1), shuffled(1));
    assert_ne!(shuffled(1), shuffled(2));
}

#[test]
fn processed_messages_can_be_redelivered_with_the_same_id() {
    let queue = queue(&["a", "b"]);
    let batch = queue.receive(START).unwrap();
    let first = batch.event().unwrap().records[1].clone();
    queue.finish(&batch, done());
    queue.redeliver(1);
    let again = queue.receive(START).unwrap().event().unwrap();
    assert_eq!(again.records.len(), 1);
    assert_eq!(again.records[0].message_id, first.message_id);
    assert_ne!(again.records[0].receipt_handle, first.receipt_handle);
}

#[test]
fn messages_that_were_not_received_stay_after_the_first_batch() {
    let queue = queue(&["message"; 11]);
    let batch = queue.receive(START).unwrap();
    queue.finish(&batch, done());
    assert_eq!(queue.overview().waiting, 1);
}

#[test]
fn dead_letters_can_be_received_and_redriven_as_new_messages() {
    let queue = queue(&[]);
    queue.put_dead_letter("lost".to_owned(), START);
    let hidden = SignedDuration::from_secs(10);
    let seen = queue.receive_dead_letters(START, 10, hidden);
    assert_eq!((seen.len(), seen[0].body.as_str(), seen[0].receives), (1, "lost", 1));
    assert!(queue.receive_dead_letters(START, 10, hidden).is_empty(), "it is out of sight");
    assert_eq!(queue.dead_letter_counts(START), (0, 1));
    assert_eq!(queue.redrive(START), 0, "what is out of sight stays");
    let later = START + hidden;
    assert_eq!(queue.dead_letter_counts(later), (1, 0));
    assert_eq!(queue.redrive(later), 1);
    assert!(queue.overview().dead_letters.is_empty());
    let record = queue.receive(later).unwrap().event().unwrap().records.remove(0);
    assert_ne!(record.message_id.as_deref(), Some(seen[0].message_id.as_str()));
    assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
    assert_eq!(record.attributes["SentTimestamp"], "10000");
}
