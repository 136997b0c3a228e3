//! Reports as they are asked for, looks on demand, and what people attest.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::FutureExt;
use http::request::Parts;
use http::{StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stallkeeper::http::extract::{self, Caller, Host, Limit, NoParameters, Parsed, Path, Query, text_of};
use stallkeeper::http::{ApiError, Problem, api, negotiate};
use stallkeeper::ids::ProductCode;
use stallkeeper::listing::Listing;
use stallkeeper::readiness::{Attestation, CHECKS, Check, Report, StepFound, check};
use stallkeeper::texts::Language;
use ulid::Ulid;
use url::Url;

use crate::json::Told;
use crate::{Auditor, html, in_time, text};

/// How many earlier reports an HTML page tells of.
const EARLIER: i32 = 10;

/// The longest note of an attestation, in characters.
const LONGEST_NOTE: usize = 1000;

/// The content security policy of a report's page: it loads nothing, and its styles are within it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[derive(Serialize)]
struct Reports<'a> {
    /// All of the stack's, also those that nobody has looked at yet.
    products: Vec<ProductCode>,
    reports: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct History {
    reports: Vec<Past>,
    /// The report before which the next page begins; none after the last.
    next: Option<Ulid>,
}

/// How far the steps were.
#[derive(Serialize)]
struct Past {
    id: Ulid,
    at: Timestamp,
    steps: Vec<StepFound>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    product: ProductCode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attested {
    product: ProductCode,
    note: String,
}

/// The media type of a report.
#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Html,
    Text,
}

impl Format {
    /// Returns the media type that an `Accept` header prefers; JSON where it prefers none.
    fn preferred(accept: &str) -> Self {
        let weight = |ranges: &[&str]| negotiate::weight(accept, ranges);
        let json = weight(&["application/json", "application/*", "*/*"]);
        let (html, text) = (weight(&["text/html"]), weight(&["text/plain"]));
        match () {
            () if html > json && html >= text => Self::Html,
            () if text > json => Self::Text,
            () => Self::Json,
        }
    }
}

/// The routes of the auditor's part of the seller's API.
pub(crate) fn routes() -> Router<Arc<Auditor>> {
    api(Router::new()
        .route("/v1/readiness", get(show))
        .route("/v1/readiness/runs", post(audit))
        .route("/v1/readiness/history", get(history))
        .route("/v1/readiness/attestations/{check}", put(attest).delete(withdraw)))
}

/// The form of a report that the caller reads: the media type and the language.
struct Presentation {
    format: Format,
    language: Language,
}

impl<S: Send + Sync> FromRequestParts<S> for Presentation {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accept = text_of(&parts.headers, header::ACCEPT).unwrap_or("*/*");
        let accept_language = text_of(&parts.headers, header::ACCEPT_LANGUAGE).unwrap_or_default();
        Ok(Self { format: Format::preferred(accept), language: negotiate::language(accept_language) })
    }
}

impl Presentation {
    /// Replaces the language of the headers by one that the query names.
    fn in_language(self, named: Option<Language>) -> Self {
        Self { language: named.unwrap_or(self.language), ..self }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportQuery {
    product: Option<ProductCode>,
    language: Option<Language>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    language: Option<Language>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    product: ProductCode,
    before: Option<Parsed<Ulid>>,
    #[serde(default)]
    limit: Limit<30, 100>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttestationQuery {
    product: ProductCode,
}

/// `GET /v1/readiness?product=&language=`: the newest report of a product, as JSON, page or text; without a product
/// that of every listing that has one, and which listings there are, as JSON.
async fn show(
    State(auditor): State<Arc<Auditor>>,
    Query(ReportQuery { product, language }): Query<ReportQuery>,
    presentation: Presentation,
) -> Result<Response, ApiError> {
    let presentation = presentation.in_language(language);
    if let Some(product) = product {
        let listing = auditor.listing(product).await?;
        let report = auditor.store.latest_report(&listing.product_code).await?.ok_or_else(not_looked)?;
        return auditor.presented(presentation, StatusCode::OK, report).await;
    }
    let listings = auditor.store.all_listings().await?;
    if let (Format::Html | Format::Text, several) = (presentation.format, listings.len())
        && several != 1
    {
        let codes: Vec<&str> = listings.iter().map(|listing| listing.product_code.as_str()).collect();
        let why = format!("a page is of one product; this stack has {}", codes.join(", "));
        return Err(Problem::invalid("product", why).into());
    }
    let mut reports = Vec::new();
    for listing in &listings {
        reports.extend(auditor.store.latest_report(&listing.product_code).await?);
    }
    match presentation.format {
        Format::Json => {
            let products = listings.into_iter().map(|listing| listing.product_code).collect();
            let reports = reports.iter().map(|report| Told::of(report, presentation.language)).collect();
            Ok(Json(Reports { products, reports }).into_response())
        }
        Format::Html | Format::Text => {
            let report = reports.pop().ok_or_else(not_looked)?;
            auditor.presented(presentation, StatusCode::OK, report).await
        }
    }
}

/// `POST /v1/readiness/runs` with `{"product": "…"}`: audits the listing now, and answers the report.
async fn audit(
    State(auditor): State<Arc<Auditor>>,
    Query(AuditQuery { language }): Query<AuditQuery>,
    presentation: Presentation,
    Host(host): Host,
    extract::Json(Wanted { product }): extract::Json<Wanted>,
) -> Result<Response, ApiError> {
    let listing = auditor.listing(product).await?;
    let registration = auditor.registration_url(host.as_deref());
    let report = auditor.look_at(&listing, registration, auditor.stack().boxed()).await?;
    auditor.presented(presentation.in_language(language), StatusCode::CREATED, report).await
}

/// `GET /v1/readiness/history?product=&before=&limit=`: how far the steps were, newest first.
async fn history(
    State(auditor): State<Arc<Auditor>>,
    Query(HistoryQuery { product, before, limit }): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let listing = auditor.listing(product).await?;
    let before = before.map(|Parsed(id)| id);
    let (reports, next) = auditor.store.reports(&listing.product_code, before, limit.get()).await?;
    let past = reports.into_iter().map(|report| Past { id: report.id, at: report.at, steps: report.steps });
    Ok(Json(History { reports: past.collect(), next }))
}

/// `PUT /v1/readiness/attestations/{check}` with `{"product": "…", "note": "…"}`: attests a check.
async fn attest(
    State(auditor): State<Arc<Auditor>>,
    Path(check): Path<String>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(Attested { product, note }): extract::Json<Attested>,
) -> Result<Json<Attestation>, ApiError> {
    let check = attestable(&check)?;
    let note = note.trim();
    if note.is_empty() || note.chars().count() > LONGEST_NOTE {
        let why = format!("must say in 1 to {LONGEST_NOTE} characters what the check rests on");
        return Err(Problem::invalid("note", why).into());
    }
    let listing = auditor.listing(product).await?;
    let by = caller.arn().unwrap_or("unknown").to_owned();
    let attestation = Attestation { by, at: auditor.store.clock().now(), note: note.to_owned() };
    auditor.store.put_attestation(&listing.product_code, check.id, &attestation).await?;
    Ok(Json(attestation))
}

/// `DELETE /v1/readiness/attestations/{check}?product=`: withdraws an attestation.
async fn withdraw(
    State(auditor): State<Arc<Auditor>>,
    Path(check): Path<String>,
    Query(AttestationQuery { product }): Query<AttestationQuery>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let check = attestable(&check)?;
    let listing = auditor.listing(product).await?;
    if auditor.store.withdraw_attestation(&listing.product_code, check.id, caller.arn()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "attestation_unknown", "The check is not attested.")
        .detail(format!("{} of {}", check.id, listing.product_code))
        .action("There is nothing to withdraw.")
        .into())
}

impl Auditor {
    /// Returns where buyers are sent: as the stack knows it, or else on the host that this request was sent to.
    fn registration_url(&self, host: Option<&str>) -> Option<Url> {
        let on_host = || Url::parse(&format!("https://{}/register", host?)).ok();
        self.deployment.registration_url.clone().or_else(on_host)
    }

    async fn listing(&self, product: ProductCode) -> Result<Listing, ApiError> {
        let listing = in_time(self.store.listing(&product)).await?;
        let unknown = || Problem::invalid("product", format!("this stack has no listing of {product}"));
        Ok(listing.ok_or_else(unknown)?)
    }

    /// Returns a report in the form that the caller reads.
    async fn presented(
        &self,
        Presentation { format, language }: Presentation,
        status: StatusCode,
        report: Report,
    ) -> Result<Response, ApiError> {
        match format {
            Format::Json => Ok((status, Json(Told::of(&report, language))).into_response()),
            Format::Text => Ok((status, text::table(&report, language)).into_response()),
            Format::Html => {
                let (earlier, _) = self.store.reports(&report.product, Some(report.id), EARLIER).await?;
                let page = html::page(&report, &earlier, language);
                let page = page.map_err(|error| Problem::unavailable().detail(error))?;
                Ok((status, [(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response())
            }
        }
    }
}

fn not_looked() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_looked_yet", "There is no report yet.")
        .detail("the stack looks once a day, and nobody asked it to before")
        .action("Look now: POST /v1/readiness/runs.")
}

fn attestable(id: &str) -> Result<&'static Check, Problem> {
    check(id).filter(|check| check.is_attestable).ok_or_else(|| {
        let known: Vec<&str> = CHECKS.iter().filter(|check| check.is_attestable).map(|check| check.id).collect();
        Problem::new(StatusCode::NOT_FOUND, "check_not_attestable", "No person's word does for this.")
            .detail(format!("what can be attested: {}", known.join(", ")))
            .action("Name one of these checks.")
    })
}
