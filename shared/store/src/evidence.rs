//! Evidence: what the functions have done, what AWS allowed them to do, and the last run of each scheduled job.
//!
//! Each note is written beside the work that it describes. A note that cannot be written is logged and dropped. A note
//! that was written is remembered, so that few notes cost a write.

use std::collections::BTreeMap;
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
use domain::errors::chain;
use domain::evidence::{Evidence, EvidenceKind, ObservedPermission};
use domain::ids::ProductCode;

/// The time that writing one note may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The time that an outcome is remembered. It is short, since another process may have noted a refusal that has been
/// fixed meanwhile.
const OUTCOME_CACHE_TTL: SignedDuration = SignedDuration::from_mins(10);

/// The time that a run is remembered.
const RUN_CACHE_TTL: SignedDuration = SignedDuration::from_mins(30);

/// The time that the process remembers that every listing has evidence of a kind. A new listing gets its evidence soon
/// after that.
const ALL_NOTED_CACHE_TTL: SignedDuration = SignedDuration::from_mins(10);

impl Store {
    /// Notes once a day that something was done for a listing. The call takes one second at most and cannot fail: a
    /// note that is not written is logged, and left for the next call.
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
        self.note(&key, true, today.ends_at, request).await;
    }

    /// Notes the same for every listing of the stack, for an action that names no listing.
    pub async fn note_evidence_of_all(&self, kind: EvidenceKind) {
        let (now, about) = (self.clock.now(), format!("ALL {}", kind.as_str()));
        if !self.noted.reserve(&about, true, now) {
            return;
        }
        match tokio::time::timeout(WRITE_TIMEOUT, Box::pin(self.all_listings())).await {
            Ok(Ok(listings)) => {
                join_all(listings.iter().map(|listing| self.note_evidence(&listing.product_code, kind))).await;
                self.noted.done(&about, true, after(now, ALL_NOTED_CACHE_TTL));
            }
            Ok(Err(error)) => log_failure(&about, &chain(&error)),
            Err(_) => log_failure(&about, "the operation timed out"),
        }
    }

    /// Returns the evidence of a listing, by its kind.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn evidence(&self, product: &ProductCode) -> Result<BTreeMap<EvidenceKind, Evidence>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            evidence: Evidence,
        }
        let rows: Vec<Row> = self.query(&keys::listing(product).pk, keys::EVIDENCE_PREFIX).await?;
        // An unknown kind comes from a newer version of the code.
        let kind = |sk: &str| sk.strip_prefix(keys::EVIDENCE_PREFIX).and_then(EvidenceKind::named);
        Ok(rows.into_iter().filter_map(|row| Some((kind(&row.sk)?, row.evidence))).collect())
    }

    /// Notes whether AWS allowed a function to perform an action, which is named as IAM names it. A new outcome is
    /// noted immediately, the same outcome again once a day. Like [`note_evidence`](Self::note_evidence), the call
    /// cannot fail.
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
        self.note(&key, is_allowed, after(now, OUTCOME_CACHE_TTL), request).await;
    }

    /// Notes all outcomes of a function.
    pub async fn note_outcomes(&self, function: &str, outcomes: BTreeMap<&'static str, bool>) {
        let notes = outcomes.into_iter().map(|(action, is_allowed)| self.note_outcome(function, action, is_allowed));
        join_all(notes).await;
    }

    /// Returns the last outcome of each action of each function.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn outcomes(&self) -> Result<Vec<ObservedPermission>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            is_allowed: bool,
            at: Timestamp,
        }
        let rows: Vec<Row> = self.query(keys::OUTCOMES, "").await?;
        let seen = rows.into_iter().filter_map(|Row { sk, is_allowed, at }| {
            let (function, action) = sk.split_once('#')?;
            Some(ObservedPermission { function: function.to_owned(), action: action.to_owned(), is_allowed, at })
        });
        Ok(seen.collect())
    }

    /// Notes that a scheduled job has run, at most once in half an hour. Like [`note_evidence`](Self::note_evidence),
    /// the call cannot fail.
    pub async fn note_run(&self, name: &str) {
        let (now, key) = (self.clock.now(), keys::run(name));
        let request = || {
            self.note_at(&key)
                .update_expression("SET #at = :now")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":now", text(now))
        };
        self.note(&key, true, after(now, RUN_CACHE_TTL), request).await;
    }

    /// Returns the time of the last run of each scheduled job, accurate to half an hour.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
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

    /// Writes a note, unless this process has written it. If the condition of the write fails, another process has
    /// written it.
    async fn note(&self, key: &Key, value: bool, until: Timestamp, request: impl FnOnce() -> UpdateItemFluentBuilder) {
        let about = format!("{} {}", key.pk, key.sk);
        if !self.noted.reserve(&about, value, self.clock.now()) {
            return;
        }
        // On the heap: the stack of the caller has no room for this future.
        match tokio::time::timeout(WRITE_TIMEOUT, Box::pin(request().send())).await {
            Ok(Ok(_)) => self.noted.done(&about, value, until),
            Ok(Err(error)) if error.code() == Some("ConditionalCheckFailedException") => {
                self.noted.done(&about, value, until);
            }
            Ok(Err(error)) => log_failure(&about, &chain(&unavailable(error))),
            Err(_) => log_failure(&about, "the operation timed out"),
        }
    }
}

/// A day in UTC.
struct Today {
    /// The date, with which every timestamp of the day starts.
    date: String,
    ends_at: Timestamp,
}

impl Today {
    fn at(now: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(now).date();
        let ends_at = date.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC)).map(|next| next.timestamp());
        Self { date: date.to_string(), ends_at: ends_at.unwrap_or(Timestamp::MAX) }
    }
}

fn text(at: Timestamp) -> AttributeValue {
    AttributeValue::S(at.to_string())
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}

fn log_failure(about: &str, error: &str) {
    tracing::warn!(about, error, counter = "evidence_not_written", "Failed to write evidence");
}
