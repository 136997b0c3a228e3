//! What the functions did for real, what AWS let them do, and when what the clock starts was last done.
//!
//! All of it is noted beside the work that it tells of: a note that cannot be written is logged and forgotten, and one
//! that was written is remembered, so that few cost a write.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::keys::Key;
use super::{Store, StoreError, keys, unavailable};
use crate::aws::chain;
use crate::ids::ProductCode;
use crate::readiness::{Evidence, EvidenceKind, PermissionSeen};

/// How long a note may take that is written beside the work.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// When a note is tried again that was not written, or of which that is not known.
const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// How long an outcome is remembered: another process may have noted a refusal meanwhile that is mended.
const OUTCOME_IS_FRESH: SignedDuration = SignedDuration::from_mins(10);

/// How long a run is remembered.
const RUN_IS_FRESH: SignedDuration = SignedDuration::from_mins(30);

/// How long it is remembered that every listing has evidence of a kind: a new one has it soon.
const ALL_ARE_NOTED: SignedDuration = SignedDuration::from_mins(10);

/// What this process has noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted(Arc<Mutex<HashMap<String, Note>>>);

/// What was noted at a key, and until when that need not be noted again.
#[derive(Debug, Clone, Copy)]
struct Note {
    said: bool,
    until: Timestamp,
}

impl Noted {
    /// Takes it on to note something at a key, unless the same was noted there.
    fn take_on(&self, at: &str, said: bool, now: Timestamp) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(at).is_some_and(|note| note.said == said && now < note.until) {
            return false;
        }
        noted.insert(at.to_owned(), Note { said, until: after(now, TRIED_AGAIN) });
        true
    }

    /// It was noted, unless something else was meanwhile.
    fn done(&self, at: &str, said: bool, until: Timestamp) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(note) = noted.get_mut(at).filter(|note| note.said == said) {
            note.until = until;
        }
    }
}

impl Store {
    /// Notes that something was done for a listing, once a day. It takes a second at most, and cannot fail: what is not
    /// written is logged, and left for the next time.
    pub async fn note_evidence(&self, product: &ProductCode, kind: EvidenceKind) {
        let (now, today) = (self.clock.now(), Today::at(self.clock.now()));
        let key = keys::evidence(product, kind);
        let request = || {
            self.note_at(&key)
                .update_expression("SET #first = if_not_exists(#first, :now), #last = :now")
                .condition_expression("attribute_not_exists(#last) OR #last < :today")
                .expression_attribute_names("#first", "first")
                .expression_attribute_names("#last", "last")
                .expression_attribute_values(":now", text(now))
                .expression_attribute_values(":today", AttributeValue::S(today.date.clone()))
        };
        self.note(&key, true, today.over_at, request).await;
    }

    /// The same for every listing of the stack: of what names none.
    pub async fn note_evidence_of_all(&self, kind: EvidenceKind) {
        let (now, about) = (self.clock.now(), format!("ALL {}", kind.as_str()));
        if !self.noted.take_on(&about, true, now) {
            return;
        }
        match tokio::time::timeout(WRITE_TIMEOUT, Box::pin(self.all_listings())).await {
            Ok(Ok(listings)) => {
                join_all(listings.iter().map(|listing| self.note_evidence(&listing.product_code, kind))).await;
                self.noted.done(&about, true, after(now, ALL_ARE_NOTED));
            }
            Ok(Err(error)) => not_noted(&about, &chain(&error)),
            Err(_) => not_noted(&about, "it took too long"),
        }
    }

    /// What was done for a listing.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn evidence(&self, product: &ProductCode) -> Result<BTreeMap<EvidenceKind, Evidence>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            evidence: Evidence,
        }
        let rows: Vec<Row> = self.query(&keys::listing(product).pk, keys::EVIDENCE_PREFIX).await?;
        // A kind that is not known is one of a newer version.
        let kind = |sk: &str| sk.strip_prefix(keys::EVIDENCE_PREFIX).and_then(EvidenceKind::named);
        Ok(rows.into_iter().filter_map(|row| Some((kind(&row.sk)?, row.evidence))).collect())
    }

    /// Notes whether AWS let a function do something: an action as IAM names it. What is new is noted at once, the same
    /// again once a day. As [`note_evidence`](Self::note_evidence) it cannot fail.
    pub async fn note_outcome(&self, function: &str, action: &str, is_allowed: bool) {
        let (now, today) = (self.clock.now(), Today::at(self.clock.now()));
        let key = keys::outcome(function, action);
        let request = || {
            self.note_at(&key)
                .update_expression("SET is_allowed = :is_allowed, #at = :now")
                .condition_expression("attribute_not_exists(#at) OR #at < :today OR is_allowed <> :is_allowed")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":is_allowed", AttributeValue::Bool(is_allowed))
                .expression_attribute_values(":now", text(now))
                .expression_attribute_values(":today", AttributeValue::S(today.date.clone()))
        };
        self.note(&key, is_allowed, after(now, OUTCOME_IS_FRESH), request).await;
    }

    /// Notes all of a function's outcomes.
    pub async fn note_outcomes(&self, function: &str, outcomes: BTreeMap<&'static str, bool>) {
        let notes = outcomes.into_iter().map(|(action, is_allowed)| self.note_outcome(function, action, is_allowed));
        join_all(notes).await;
    }

    /// What AWS let each function do when it last asked.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn outcomes(&self) -> Result<Vec<PermissionSeen>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            is_allowed: bool,
            at: Timestamp,
        }
        let rows: Vec<Row> = self.query(keys::OUTCOMES, "").await?;
        let seen = rows.into_iter().filter_map(|Row { sk, is_allowed, at }| {
            let (function, action) = sk.split_once('#')?;
            Some(PermissionSeen { function: function.to_owned(), action: action.to_owned(), is_allowed, at })
        });
        Ok(seen.collect())
    }

    /// Notes that what the clock starts has run, every half hour at most. As [`note_evidence`](Self::note_evidence) it
    /// cannot fail.
    pub async fn note_run(&self, name: &str) {
        let (now, key) = (self.clock.now(), keys::run(name));
        let request = || {
            self.note_at(&key)
                .update_expression("SET #at = :now")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":now", text(now))
        };
        self.note(&key, true, after(now, RUN_IS_FRESH), request).await;
    }

    /// When what the clock starts has last run, to half an hour.
    ///
    /// # Errors
    ///
    /// When the table does not answer.
    pub async fn runs(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            at: Timestamp,
        }
        let rows: Vec<Row> = self.query(keys::RUNS, "").await?;
        Ok(rows.into_iter().map(|row| (row.sk, row.at)).collect())
    }

    fn note_at(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()))
    }

    /// Writes a note, unless this process has. That its condition does not hold says that another process has.
    async fn note(&self, key: &Key, said: bool, until: Timestamp, request: impl FnOnce() -> UpdateItemFluentBuilder) {
        let about = format!("{} {}", key.pk, key.sk);
        if !self.noted.take_on(&about, said, self.clock.now()) {
            return;
        }
        // On the heap: what a note is written beside has no room for it on its stack.
        match tokio::time::timeout(WRITE_TIMEOUT, Box::pin(request().send())).await {
            Ok(Ok(_)) => self.noted.done(&about, said, until),
            Ok(Err(error)) if error.code() == Some("ConditionalCheckFailedException") => {
                self.noted.done(&about, said, until);
            }
            Ok(Err(error)) => not_noted(&about, &chain(&unavailable(error))),
            Err(_) => not_noted(&about, "it took too long"),
        }
    }
}

/// A day of UTC.
struct Today {
    /// As every moment of it begins.
    date: String,
    over_at: Timestamp,
}

impl Today {
    fn at(now: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(now).date();
        let over_at = date.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC)).map(|next| next.timestamp());
        Self { date: date.to_string(), over_at: over_at.unwrap_or(Timestamp::MAX) }
    }
}

fn text(at: Timestamp) -> AttributeValue {
    AttributeValue::S(at.to_string())
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}

fn not_noted(about: &str, error: &str) {
    tracing::warn!(about, error, counter = "not_noted", "the work goes on without the note");
}
