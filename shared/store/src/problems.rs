//! Problems that need an operator, and what operators did about them.
//!
//! The index of work lists records in a state that they cannot leave by themselves, held records, notes about what no
//! state shows, and pauses.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::keys::{Rank, SHARDS, Work};
use super::problem_kind::{NoteKind, ProblemKind};
use super::records::RECORD_RETENTION;
use super::usage::after;
use super::{IndexKey, Item, Pause, Store, StoreError, keys, read, unavailable, write};
use domain::audit::AuditEntry;
use domain::ids::ProductCode;
use domain::ledger::ContestedKey;
use domain::metering::{HourlyRecord, RecordName};

/// Something about a license's hour and dimension that no record's state shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The license, hour and dimension.
    #[serde(flatten)]
    pub about: RecordName,
    /// The kind of the note.
    pub note: NoteKind,
    /// The amount of usage that the note is about.
    pub amount: Decimal,
    /// The time at which it was first noted.
    pub since: Timestamp,
    /// The contested key, if the note is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<ContestedKey>,
}

/// A problem that needs an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A record.
    Record(Box<HourlyRecord>),
    /// A note.
    Note(Note),
    /// A pause.
    Pause(Pause),
}

/// A mark that AWS has shown a booking of a product that Stallkeeper did not make.
#[derive(Debug, Serialize, Deserialize)]
struct ForeignBooking {
    /// The record for which AWS has another quantity.
    record: String,
    at: Timestamp,
}

/// A page of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The items of the page.
    pub found: Vec<T>,
    /// The cursor of the next page; `None` after the last.
    pub next: Option<String>,
}

impl Store {
    /// Writes a note. It replaces a note about the same record name, and keeps the time of that note.
    ///
    /// The note is written only if the record that it is about is as it was read, or, if there was no record, there
    /// still is none. Otherwise the usage is being processed already. Returns `true` if the note was written.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn write_note(&self, note: &Note, record: Option<&HourlyRecord>) -> Result<bool, StoreError> {
        let key = keys::note(&note.about);
        let before: Option<Note> = self.get(&key).await?;
        let note = Note { since: before.map_or(note.since, |before| before.since), ..note.clone() };
        let mut item = write(&key, &note)?;
        let work = keys::work(Work::Problem(keys::shard(&note.about.license)));
        let sort = keys::problem_sort(note.note.problem().name(), note.since, &note.about);
        item.insert(keys::WORK_KEY.to_owned(), AttributeValue::S(work));
        item.insert(keys::WORK_SORT.to_owned(), AttributeValue::S(sort));
        let writes = vec![
            self.put_any(item)?,
            TransactWriteItem::builder().condition_check(self.is_as_read(&note.about, record)?).build(),
        ];
        self.transact_unless_lost(writes).await
    }

    /// Lists a key that was reported with several contents. Returns `true` if the key was not listed yet with these
    /// contents.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn list_contested(&self, about: &RecordName, contested: &ContestedKey) -> Result<bool, StoreError> {
        let key = keys::contested(about, contested);
        let before: Option<Note> = self.get(&key).await?;
        if before.as_ref().is_some_and(|before| before.contested.as_ref() == Some(contested)) {
            return Ok(false);
        }
        let now = self.clock.now();
        let note = Note {
            about: about.clone(),
            note: NoteKind::KeyReused,
            amount: contested.contents.first().map(|counts| counts.quantity).unwrap_or_default(),
            since: before.map_or(now, |before| before.since),
            contested: Some(contested.clone()),
        };
        let mut item = write(&key, &note)?;
        let sort = keys::problem_sort(ProblemKind::KeyReused.name(), note.since, about);
        item.insert(
            keys::WORK_KEY.to_owned(),
            AttributeValue::S(keys::work(Work::Problem(keys::shard(&about.license)))),
        );
        item.insert(keys::WORK_SORT.to_owned(), AttributeValue::S(sort));
        item.insert("expires_at".to_owned(), AttributeValue::N(after(now, RECORD_RETENTION).to_string()));
        self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await.map_err(unavailable)?;
        Ok(true)
    }

    /// Records that AWS has shown a booking of a product that Stallkeeper did not make.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn note_foreign_booking(&self, record: &HourlyRecord) -> Result<(), StoreError> {
        let seen = ForeignBooking { record: record.name.to_string(), at: self.clock.now() };
        self.put(&keys::foreign_booking(&record.product), &seen).await
    }

    /// Returns `true` if AWS has ever shown a booking of a product that Stallkeeper did not make.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn has_foreign_booking(&self, product: &ProductCode) -> Result<bool, StoreError> {
        let seen: Option<ForeignBooking> = self.get(&keys::foreign_booking(product)).await?;
        Ok(seen.is_some())
    }

    /// Returns a page of the records that count as booked by a DuplicateRecord after an unanswered attempt, oldest
    /// first in each shard.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor is not one of this list's.
    pub async fn unverified_records(
        &self,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Listed<HourlyRecord>, StoreError> {
        self.walk(&unverified(), cursor, limit, read).await
    }

    /// Removes the note about a record's name, if there is one.
    pub(super) fn no_note(&self, about: &RecordName) -> Result<TransactWriteItem, StoreError> {
        self.delete_item(&keys::note(about))
    }

    /// Returns a page of the problems of one kind or of all kinds. The pages vary in length.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor is not one of this list's.
    pub async fn problems(
        &self,
        kind: Option<ProblemKind>,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Listed<Problem>, StoreError> {
        self.walk(&segments(kind), cursor, limit, read_problem).await
    }

    /// Returns a page of the records that are not decided yet: of each shard the urgent ones first, then by the time at
    /// which they are due.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer, or the cursor is not one of this list's.
    pub async fn pending_records(&self, cursor: Option<&str>, limit: i32) -> Result<Listed<HourlyRecord>, StoreError> {
        let shards: Vec<Segment> = (0..SHARDS).map(|shard| Segment::all(Work::Pending(shard))).collect();
        self.walk(&shards, cursor, limit, read).await
    }

    /// Requeues an ended record, so that it is sent again unchanged, and writes an audit entry. The write holds only if
    /// the record is as it was read. Returns `true` if it was.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn requeue(
        &self,
        before: &HourlyRecord,
        after: &HourlyRecord,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let writes =
            vec![TransactWriteItem::builder().update(self.update(before, after)?).build(), self.audited(entry)?];
        self.transact_unless_lost(writes).await
    }

    /// Walks through parts of the index of work, one after the other, until a page is full.
    async fn walk<T>(
        &self,
        segments: &[Segment],
        cursor: Option<&str>,
        limit: i32,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<Listed<T>, StoreError> {
        let (mut number, mut from) = match cursor {
            None => (0, None),
            Some(cursor) => {
                let cursor = Cursor::read(cursor, segments).ok_or(StoreError::BadCursor)?;
                (cursor.segment, Some(cursor.after))
            }
        };
        let mut found = Vec::new();
        while let Some(segment) = segments.get(number) {
            let left = limit - i32::try_from(found.len()).unwrap_or(limit);
            if left <= 0 {
                // The page is full at the end of a part: the next page starts with the following part.
                let after = from.unwrap_or_else(|| IndexKey(segment.before()));
                return Ok(Listed { found, next: Cursor { segment: number, after }.write() });
            }
            let between = (segment.first.clone(), segment.last.clone());
            let (items, next) = self.work_items(segment.work, between, from.take(), left).await?;
            for item in items {
                found.push(read(item)?);
            }
            match next {
                Some(after) if i32::try_from(found.len()).is_ok_and(|length| length >= limit) => {
                    return Ok(Listed { found, next: Cursor { segment: number, after }.write() });
                }
                Some(after) => from = Some(after),
                None => number += 1,
            }
        }
        Ok(Listed { found, next: None })
    }
}

/// A part of the index of work.
struct Segment {
    work: Work,
    first: String,
    last: String,
}

impl Segment {
    fn all(work: Work) -> Self {
        Self::of(work, "")
    }

    fn of(work: Work, prefix: &str) -> Self {
        // DynamoDB accepts no empty string in a condition on a key.
        let first = if prefix.is_empty() { " ".to_owned() } else { prefix.to_owned() };
        Self { work, first, last: format!("{prefix}~") }
    }

    /// Returns a key that sorts before everything in the segment.
    fn before(&self) -> Item {
        [("pk", " "), ("sk", " "), (keys::WORK_KEY, &keys::work(self.work)), (keys::WORK_SORT, &self.first)]
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
            .into()
    }
}

/// Returns the segments that list the problems of a kind, or of all kinds.
fn segments(kind: Option<ProblemKind>) -> Vec<Segment> {
    let shards = || 0..SHARDS;
    let held = || shards().map(|shard| Segment::of(Work::Pending(shard), keys::rank(Rank::Held)));
    match kind {
        None => shards()
            .map(|shard| Segment::all(Work::Problem(shard)))
            .chain(held())
            .chain(unverified())
            .chain([Segment::all(Work::Paused)])
            .collect(),
        Some(ProblemKind::Unverified) => unverified(),
        Some(ProblemKind::Paused) => vec![Segment::all(Work::Paused)],
        Some(kind) => {
            let prefix = format!("{}#", kind.name());
            let of_kind = shards().map(|shard| Segment::of(Work::Problem(shard), &prefix));
            of_kind.chain(held().filter(|_| kind == ProblemKind::Held)).collect()
        }
    }
}

/// Returns the segments that list the records that count as booked and are not verified.
fn unverified() -> Vec<Segment> {
    (0..SHARDS).map(|shard| Segment::all(Work::Unverified(shard))).collect()
}

fn read_problem(item: Item) -> Result<Problem, StoreError> {
    if item.contains_key("note") {
        read(item).map(Problem::Note)
    } else if item.contains_key("quantity") {
        read(item).map(|record| Problem::Record(Box::new(record)))
    } else {
        read(item).map(Problem::Pause)
    }
}

/// The place where a walk through segments stopped.
struct Cursor {
    segment: usize,
    after: IndexKey,
}

#[derive(Serialize, Deserialize)]
struct PlainCursor {
    segment: usize,
    after: BTreeMap<String, String>,
}

impl Cursor {
    fn write(self) -> Option<String> {
        let text = |(name, value): (String, AttributeValue)| Some((name, value.as_s().ok()?.clone()));
        let after = self.after.0.into_iter().filter_map(text).collect();
        let plain = PlainCursor { segment: self.segment, after };
        serde_json::to_vec(&plain).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }

    /// Reads a cursor; returns `None` if it does not belong to these segments.
    fn read(cursor: &str, segments: &[Segment]) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let PlainCursor { segment, after } = serde_json::from_slice(&json).ok()?;
        let of = segments.get(segment)?;
        let fits = after.len() == 4
            && after.get(keys::WORK_KEY) == Some(&keys::work(of.work))
            && after.get(keys::WORK_SORT).is_some_and(|sort| *sort >= of.first && *sort <= of.last)
            && ["pk", "sk"].iter().all(|part| after.get(*part).is_some_and(|key| (1..=1000).contains(&key.len())));
        let after = after.into_iter().map(|(name, value)| (name, AttributeValue::S(value))).collect();
        fits.then_some(Self { segment, after: IndexKey(after) })
    }
}
