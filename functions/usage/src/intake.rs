//! Ingests the events of a request. Each event has its own result.
//!
//! Events of open hours are written together, without a read. A late event is written alone, after a read of the usage
//! that is stored under its key. An event is accepted only when the writes of its item and of its hour's marker are
//! confirmed. A dry run makes the same reads, and no writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::errors::chain;
use domain::ids::{DimensionKey, LicenseId};
use domain::time::UsageHour;
use domain::usage::{Intake, KeyHash, UsageEvent};
use futures_util::{StreamExt, stream};
use lambda::http::Problem;
use lambda::http::contract::{BodyInvalid, BodyTooLarge, Failed, Forbidden, TooMany, Unavailable};
use lambda::http::extract::{Query, TextBody};
use serde::Deserialize;
use store::{LatePut, StoreError};
use utoipa::IntoParams;

use crate::body::{self, CsvSchema, ReportSchema};
use crate::context::Context;
use crate::event::{Indexed, ParsedEvent};
use crate::licenses::{Licenses, Resolved};
use crate::problem_responses::ContentTypeUnsupported;
use crate::result::{EventResult, Report};

/// The most keys of late events that are written at the same time.
const MAX_CONCURRENT_LATE_WRITES: usize = 16;

/// The readable events of a request, by how they are processed, and the results of the others.
#[derive(Default)]
struct Judged {
    open: Indexed<UsageEvent>,
    late: Indexed<UsageEvent>,
    /// The events to refuse, unless they were accepted before.
    refused: Indexed<(UsageEvent, Refused)>,
    results: Indexed<EventResult>,
    /// The license that each event under the old key of a moved buyer belongs to now.
    moved: BTreeMap<usize, LicenseId>,
}

/// The refusal of an event.
struct Refused {
    /// The same event under the other key of its buyer, under which it may have been accepted.
    with_other_key: Option<UsageEvent>,
    /// `true` if an earlier attempt, to which the refusal did not apply, may still be writing the event.
    may_be_in_flight: bool,
    result: EventResult,
}

/// The identity of an event: two events with the same identity are the same fact.
type EventKey = (LicenseId, UsageHour, DimensionKey, KeyHash);

/// Splits events of open hours into those that are written, and the results of those whose key and revision an earlier
/// event of the request has with another content. The order of two events of one request is not stored.
fn first_of_each_revision(events: Indexed<UsageEvent>) -> (Indexed<UsageEvent>, Indexed<EventResult>) {
    let mut first: BTreeMap<(EventKey, u32), UsageEvent> = BTreeMap::new();
    let (mut written, mut contested) = (Vec::new(), Vec::new());
    for (index, event) in events {
        let known = first.entry((event_key(&event), event.revision)).or_insert_with(|| event.clone());
        if known.has_same_content(&event) {
            written.push((index, event));
        } else {
            contested.push((index, EventResult::same_revision()));
        }
    }
    (written, contested)
}

fn event_key(event: &UsageEvent) -> EventKey {
    (event.license.clone(), event.hour(), event.dimension.clone(), event.key.clone())
}

/// The parameters of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportQuery {
    /// Judges the events and writes nothing: the answer has the results that they would have.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// Reports usage.
///
/// Each event is judged for itself, and has its own result, in the order of the request. An event that is malformed or
/// refused does not affect the others. Only a body without events is answered 400, and then nothing of it is ingested.
/// An event is a fact: send it as often as you like until it is answered. Its `key` makes it unique within license,
/// hour and dimension.
#[utoipa::path(
    post,
    path = "/v1/usage",
    operation_id = "reportUsage",
    tag = "usage",
    params(ReportQuery),
    request_body(content(
        (ReportSchema = "application/json", example = json!({
            "events": [{
                "license": "l-0123456789abcdef0123456789abcdef",
                "dimension": "requests",
                "quantity": 5,
                "time": "2026-11-10T09:20:00Z",
                "key": "report-1",
                "tags": { "team": "red" },
            }],
        })),
        (CsvSchema = "text/csv", example = json!("\
license,dimension,quantity,time,key,tag:team
l-0123456789abcdef0123456789abcdef,requests,5,2026-11-10T09:20:00Z,report-1,red
")),
    )),
    responses(
        (
            status = 200,
            description = "The result of each event.",
            body = Report,
            example = json!({
                "accepted": 1, "duplicate": 0, "conflict": 0, "refused": 0, "retry": 0, "results": [{ "status": "accepted" }],
            }),
        ),
        BodyInvalid, Forbidden, BodyTooLarge, ContentTypeUnsupported, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn report(
    State(context): State<Arc<Context>>,
    Query(ReportQuery { dry_run }): Query<ReportQuery>,
    body: TextBody,
) -> Result<Json<Report>, Problem> {
    Ok(Json(context.ingest(body::read(&body)?, dry_run).await))
}

impl Context {
    async fn ingest(&self, parsed: Vec<ParsedEvent>, dry_run: bool) -> Report {
        let lines: Vec<Option<usize>> = parsed.iter().map(|parsed| parsed.line).collect();

        let Judged { open, late, refused, results, moved } = self.judge_all(parsed, dry_run).await;
        let mut results: BTreeMap<usize, EventResult> = results.into_iter().collect();
        let (open, contested) = first_of_each_revision(open);
        results.extend(contested);
        if dry_run {
            results.extend(open.into_iter().map(|(index, _)| (index, EventResult::accepted())));
        } else {
            results.extend(self.write_open(open).await);
        }
        results.extend(self.ingest_late(late, dry_run).await);
        results.extend(self.refuse_unless_known(refused, dry_run).await);

        let result_of = |(index, line)| {
            let result = results.remove(&index).unwrap_or_else(EventResult::retry).in_line(line);
            result.moved_to(moved.get(&index))
        };
        let report = Report::new(dry_run, lines.into_iter().enumerate().map(result_of).collect());
        report.log();
        self.count(&report.counted());
        report
    }

    /// Judges the events of a request by their licenses and the time.
    async fn judge_all(&self, parsed: Vec<ParsedEvent>, dry_run: bool) -> Judged {
        let now = self.store.clock().now();
        let mut judged = Judged::default();
        let mut readable: Indexed<UsageEvent> = Vec::new();
        for (index, parsed) in parsed.into_iter().enumerate() {
            match parsed.event {
                Ok(event) => readable.push((index, event)),
                Err(unreadable) => judged.results.push((index, unreadable.into())),
            }
        }
        let licenses = Licenses::of(&readable, &self.store, &self.cache, now).await;
        for (index, event) in readable {
            let named = event.license.clone();
            let event = match licenses.resolve(event, now) {
                Resolved::Under(event) => event,
                Resolved::UnlessKnown { event, other } => match self.known_of(&other, dry_run).await {
                    None => event,
                    Some(result) => {
                        judged.results.push((index, result));
                        continue;
                    }
                },
                Resolved::Wait => {
                    judged.results.push((index, EventResult::moving()));
                    continue;
                }
                Resolved::Unread => {
                    judged.results.push((index, EventResult::retry()));
                    continue;
                }
            };
            if event.license != named && named.is_legacy() {
                judged.moved.insert(index, event.license.clone());
            }
            match licenses.judge(&event, now) {
                Some(Intake::Open) => judged.open.push((index, event)),
                Some(Intake::Late) => judged.late.push((index, event)),
                Some(Intake::Refused(refusal)) => {
                    let license = licenses.get(&event.license);
                    let refused = Refused {
                        with_other_key: licenses.with_other_key(&event),
                        may_be_in_flight: refusal.is_recent(&event, license, now),
                        result: EventResult::refused(refusal, &event, license),
                    };
                    judged.refused.push((index, (event, refused)));
                }
                None => judged.results.push((index, EventResult::retry())),
            }
        }
        judged
    }

    /// Refuses events, unless they were accepted before. An event whose answer was lost may be sent again when it would
    /// be refused, and a refused event must not be billed.
    async fn refuse_unless_known(&self, events: Indexed<(UsageEvent, Refused)>, dry_run: bool) -> Indexed<EventResult> {
        let results = stream::iter(events).map(async |(index, (event, refused))| {
            for event in [Some(&event), refused.with_other_key.as_ref()].into_iter().flatten() {
                if let Some(known) = self.known_of(event, dry_run).await {
                    return (index, known);
                }
            }
            (index, if refused.may_be_in_flight { refused.result.retry_before_refusal() } else { refused.result })
        });
        results.buffer_unordered(MAX_CONCURRENT_LATE_WRITES).collect().await
    }

    /// Returns the result of an event whose key is stored already; `None` if the key is not stored.
    ///
    /// Stored usage counts once a record or a note of its hour includes it. If the write of its hour's marker was not
    /// confirmed, the hour may be summed without it, so the hour is marked to be checked again.
    async fn known_of(&self, event: &UsageEvent, dry_run: bool) -> Option<EventResult> {
        match self.find(event, dry_run).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "Failed to read the usage that is stored under a key");
                Some(EventResult::retry())
            }
        }
    }

    async fn find(&self, event: &UsageEvent, dry_run: bool) -> Result<Option<EventResult>, StoreError> {
        let Some(known) = self.store.usage_of_key(event).await? else { return Ok(None) };
        let is_accounted_for = self.store.is_accounted_for(event).await?;
        if !dry_run && (known.in_open_hour || !is_accounted_for) {
            self.store.mark_dirty(&event.license, event.hour()).await?;
        }
        let is_summed = self.store.clock().now() >= event.hour().swept_from();
        Ok(Some(if is_summed && !is_accounted_for {
            EventResult::retry()
        } else {
            EventResult::compared_with(&known, event)
        }))
    }

    async fn write_open(&self, events: Indexed<UsageEvent>) -> Indexed<EventResult> {
        let (indexes, events): (Vec<usize>, Vec<UsageEvent>) = events.into_iter().unzip();
        let mut marked = self.cache.marked(&events);
        let written = match self.store.write_open_usage(&events, &mut marked).await {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(error = %chain(&error), "Failed to write usage");
                vec![false; events.len()]
            }
        };
        self.cache.remember(marked);
        let result_of = |written| if written { EventResult::accepted() } else { EventResult::retry() };
        indexes.into_iter().zip(written.into_iter().map(result_of)).collect()
    }

    /// Ingests late events, those of one key in their order in the request: the first of them makes the others
    /// duplicates or conflicts.
    async fn ingest_late(&self, events: Indexed<UsageEvent>, dry_run: bool) -> Indexed<EventResult> {
        let mut by_key: BTreeMap<EventKey, Indexed<UsageEvent>> = BTreeMap::new();
        for (index, event) in events {
            by_key.entry(event_key(&event)).or_default().push((index, event));
        }
        let results = stream::iter(by_key.into_values()).map(async |reported: Indexed<UsageEvent>| {
            if dry_run { self.try_late(reported).await } else { self.write_late(reported).await }
        });
        results.buffer_unordered(MAX_CONCURRENT_LATE_WRITES).concat().await
    }

    /// Writes the late events of one key.
    async fn write_late(&self, reported: Indexed<UsageEvent>) -> Indexed<EventResult> {
        let mut results = Vec::new();
        for (index, event) in reported {
            let result = match self.store.write_late_usage(&event).await {
                Ok(LatePut::Written) => EventResult::accepted(),
                Ok(LatePut::Known(known)) => EventResult::compared_with(&known, &event),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "Failed to confirm late usage");
                    EventResult::retry()
                }
            };
            results.push((index, result));
        }
        results
    }

    /// Returns the results that [`Context::write_late`] would have now, without writing.
    async fn try_late(&self, reported: Indexed<UsageEvent>) -> Indexed<EventResult> {
        let Some((_, first)) = reported.first() else { return Vec::new() };
        let mut known = match self.store.usage_of_key(first).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "Failed to read the usage that is stored under a key");
                return reported.into_iter().map(|(index, _)| (index, EventResult::retry())).collect();
            }
        };
        let mut results = Vec::new();
        for (index, event) in reported {
            let result =
                known.as_ref().map_or_else(EventResult::accepted, |known| EventResult::compared_with(known, &event));
            known.get_or_insert_with(|| (&event).into());
            results.push((index, result));
        }
        results
    }
}
