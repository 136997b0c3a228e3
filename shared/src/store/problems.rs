//! What a person must look at, and what a person did about it.
//!
//! Records in a state that nothing gets them out of by itself, records that are held, notes of what no state tells,
//! and pauses stand in the index of work, from where they are listed.

use std::collections::BTreeMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::{Rank, SHARDS, Work};
use super::records::KEPT;
use super::usage::after;
use super::{IndexKey, Item, Pause, Store, StoreError, keys, read, unavailable, write};
use crate::audit::AuditEntry;
use crate::ids::ProductCode;
use crate::ledger::ContestedKey;
use crate::metering::{HourlyRecord, RecordName};

/// Something about a license's hour and dimension that no record's state tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which hour and dimension.
    #[serde(flatten)]
    pub about: RecordName,
    /// What.
    pub note: NoteKind,
    /// How much usage it is about.
    pub amount: Decimal,
    /// Since when.
    pub since: Timestamp,
    /// The key, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<ContestedKey>,
}

/// What a note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// More is in records than the hour holds.
    Overbilled,
    /// No hour of the billing month can take it any more.
    Uncarried,
    /// It waits for the start of its agreement to be known.
    PeriodUnknown,
    /// It waits for what the contract includes to be known.
    IncludedUnknown,
    /// One key and revision was reported with several contents.
    KeyReused,
}

impl NoteKind {
    /// The kind of problem that it is.
    pub fn problem(self) -> ProblemKind {
        match self {
            Self::Overbilled => ProblemKind::Overbilled,
            Self::Uncarried => ProblemKind::Uncarried,
            Self::PeriodUnknown | Self::IncludedUnknown => ProblemKind::Held,
            Self::KeyReused => ProblemKind::KeyReused,
        }
    }
}

/// A kind of problem with usage. `held`: it cannot be sent until something is known. `conflict`: AWS has another
/// quantity. `refused`: AWS refuses it. `expired`: AWS's window closed. `unconfirmed`: AWS may have booked it.
/// `overbilled`: records hold more than was used. `uncarried`: no hour can bill the usage any more. `key_reused`: one
/// key and revision was reported with several contents. `unverified`: it counts as booked, but the booking may be that
/// of another program that meters the product. `paused`: AWS accepts nothing of a product or dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageProblemKind)]
pub enum ProblemKind {
    /// Not sendable until something is known.
    Held,
    /// AWS has another quantity.
    Conflict,
    /// AWS does not take it.
    Refused,
    /// AWS's window closed.
    Expired,
    /// AWS may have booked it.
    Unconfirmed,
    /// More is in records than was used.
    Overbilled,
    /// Usage that no hour can take any more.
    Uncarried,
    /// Something was reported twice with different content under one key and revision.
    KeyReused,
    /// It counts as booked, and the booking may be of something else that meters the product.
    Unverified,
    /// Nothing of a product or dimension gets through.
    Paused,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Conflict,
        Self::Refused,
        Self::Expired,
        Self::Unconfirmed,
        Self::Overbilled,
        Self::Uncarried,
        Self::KeyReused,
        Self::Unverified,
        Self::Paused,
    ];

    /// Its name in the table and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unconfirmed => "unconfirmed",
            Self::Overbilled => "overbilled",
            Self::Uncarried => "uncarried",
            Self::KeyReused => "key_reused",
            Self::Unverified => "unverified",
            Self::Paused => "paused",
        }
    }
}

impl FromStr for ProblemKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// A name that no kind of problem has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", ProblemKind::ALL.map(ProblemKind::name).join(", "))]
pub struct UnknownKind;

/// One thing that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A record.
    Record(Box<HourlyRecord>),
    /// A note.
    Note(Note),
    /// A pause.
    Pause(Pause),
}

/// That AWS has shown a booking of a product that is not ours.
#[derive(Debug, Serialize, Deserialize)]
struct ForeignBooking {
    /// The record that AWS has another quantity of.
    record: String,
    at: Timestamp,
}

/// A page of what an index lists.
#[derive(Debug)]
pub struct Listed<T> {
    /// What is on it.
    pub found: Vec<T>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

impl Store {
    /// Writes a note. It takes the place of one about the same, and stands since when that did. It is written only if
    /// the record that it is about is as it was read, and if there still is none where none was: otherwise the usage is
    /// on its way already. Answers whether it is written.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
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
        self.write_unless_lost(writes).await
    }

    /// Lists a key that was reported with several contents, and answers whether it is listed anew.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
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
        item.insert("expires_at".to_owned(), AttributeValue::N(after(now, KEPT).to_string()));
        self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await.map_err(unavailable)?;
        Ok(true)
    }

    /// Keeps that AWS has shown a booking of a product that is not ours.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn note_foreign_booking(&self, record: &HourlyRecord) -> Result<(), StoreError> {
        let seen = ForeignBooking { record: record.name.to_string(), at: self.clock.now() };
        self.put(&keys::foreign_booking(&record.product), &seen).await
    }

    /// Reports whether AWS has ever shown a booking of a product that is not ours.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn has_foreign_booking(&self, product: &ProductCode) -> Result<bool, StoreError> {
        let seen: Option<ForeignBooking> = self.get(&keys::foreign_booking(product)).await?;
        Ok(seen.is_some())
    }

    /// A page of the records that count as booked by a DuplicateRecord after an attempt without an answer, oldest first.
    ///
    /// # Errors
    ///
    /// When the table does not answer, or the cursor is not one of this list's.
    pub async fn unverified_records(
        &self,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Listed<HourlyRecord>, StoreError> {
        self.walk(&unverified(), cursor, limit, read).await
    }

    /// Takes the note about a record's name back, if there is one.
    pub(super) fn no_note(&self, about: &RecordName) -> Result<TransactWriteItem, StoreError> {
        self.take_away(&keys::note(about))
    }

    /// A page of what a person must look at, of one kind or of all; the pages' lengths vary.
    ///
    /// # Errors
    ///
    /// When the table does not answer, or the cursor is not one of this list's.
    pub async fn problems(
        &self,
        kind: Option<ProblemKind>,
        cursor: Option<&str>,
        limit: i32,
    ) -> Result<Listed<Problem>, StoreError> {
        self.walk(&segments(kind), cursor, limit, read_problem).await
    }

    /// A page of the records that are not decided yet: of each shard the pressing ones first, then by when they are due.
    ///
    /// # Errors
    ///
    /// When the table does not answer, or the cursor is not one of this list's.
    pub async fn pending_records(&self, cursor: Option<&str>, limit: i32) -> Result<Listed<HourlyRecord>, StoreError> {
        let shards: Vec<Segment> = (0..SHARDS).map(|shard| Segment::all(Work::Pending(shard))).collect();
        self.walk(&shards, cursor, limit, read).await
    }

    /// Makes a record that is over one to be sent again, as it is, and writes down who did so; on condition that it is
    /// as it was read. Answers whether it was.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn requeue(
        &self,
        before: &HourlyRecord,
        after: &HourlyRecord,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let writes =
            vec![TransactWriteItem::builder().update(self.update(before, after)?).build(), self.audited(entry)?];
        self.write_unless_lost(writes).await
    }

    /// Goes through parts of the index of work, one after the other, until a page is full.
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
                // The page is full at the end of a part: the next begins with the one after it.
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
        // DynamoDB takes no empty text in a condition on a key.
        let first = if prefix.is_empty() { " ".to_owned() } else { prefix.to_owned() };
        Self { work, first, last: format!("{prefix}~") }
    }

    /// A key that sorts before everything in it.
    fn before(&self) -> Item {
        [("pk", " "), ("sk", " "), (keys::WORK_KEY, &keys::work(self.work)), (keys::WORK_SORT, &self.first)]
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
            .into()
    }
}

/// Where problems of a kind stand.
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

/// Where the records stand that count as booked and are not verified.
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

/// Where a walk through segments stopped.
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

    /// Reads a cursor; none if it is not one of these segments'.
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
