//! The operations of the auditor: reports, audit runs on request, and attestations.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use domain::ids::ProductCode;
use domain::language::Language;
use domain::listing::Listing;
use domain::schema::ReportId;
use futures_util::FutureExt;
use http::request::Parts;
use http::{StatusCode, header};
use jiff::Timestamp;
use lambda::http::contract::{
    BodyInvalid, BodyTooLarge, Failed, Forbidden, ParameterInvalid, TooLarge, TooMany, Unavailable,
};
use lambda::http::extract::{Caller, Host, Limit, NoParameters, Parsed, Path, Query, text_of};
use lambda::http::{ApiError, Problem, api, extract, negotiate};
use readiness_checks::{Attestation, CHECKS, Check, Report, StepStatus, check};
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use url::Url;
use utoipa::{IntoParams, ToSchema};

use crate::auditor::{Auditor, in_time};
use crate::json::LocalizedReport;
use crate::problem_responses::{NoReportYet, NotAttestable, NotAttested};
use crate::{html, text};

/// The number of earlier reports from which an HTML page derives its history.
const EARLIER: i32 = 10;

/// The longest note of an attestation, in characters.
const LONGEST_NOTE: usize = 1000;

/// The content security policy of a report's page: it loads nothing, and its styles are within it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The newest report, or those of all listings.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Readiness)]
#[expect(dead_code, reason = "declares what `show` answers as JSON")]
enum ReadinessSchema<'a> {
    One(LocalizedReport<'a>),
    All(Reports<'a>),
}

/// The newest reports of all listings.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessReports)]
struct Reports<'a> {
    /// All listings of the stack, including those without a report.
    products: Vec<ProductCode>,
    reports: Vec<LocalizedReport<'a>>,
}

/// A page of earlier reports.
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessHistory)]
pub(crate) struct History {
    reports: Vec<PastReport>,
    /// The `before` of the next page; null after the last.
    #[schema(value_type = Option<ReportId>)]
    next: Option<Ulid>,
}

/// The states of the steps in an earlier report.
#[derive(Serialize, ToSchema)]
#[schema(as = PastReadiness)]
struct PastReport {
    #[schema(value_type = ReportId)]
    id: Ulid,
    /// The time of the report.
    at: Timestamp,
    steps: Vec<StepStatus>,
}

/// The listing to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReadinessRun)]
pub(crate) struct NewAudit {
    product: ProductCode,
}

/// The attestation of a check by an operator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAttestation)]
pub(crate) struct NewAttestation {
    product: ProductCode,
    /// The facts that it rests on.
    #[schema(min_length = 1, max_length = 1000)]
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
pub(crate) struct Presentation {
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

/// The check of a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "declares the parameter of a path")]
struct CheckPath {
    /// A check that an attestation can make pass.
    #[param(pattern = "^[a-z_.]+$", example = "app.no_payment_data")]
    check: String,
}

impl Presentation {
    /// Replaces the language of the headers by one that the query names.
    fn in_language(self, named: Option<Language>) -> Self {
        Self { language: named.unwrap_or(self.language), ..self }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportQuery {
    /// The listing; by default all of them.
    product: Option<ProductCode>,
    /// The language of the texts; by default the one that `Accept-Language` prefers.
    language: Option<Language>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// The language of the texts; by default the one that `Accept-Language` prefers.
    language: Option<Language>,
}

type HistoryLimit = Limit<30, 100>;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// The listing.
    #[param(example = "4democontract0000000000ab")]
    product: ProductCode,
    /// Lists only reports before this one: the `next` of the page before.
    #[param(value_type = Option<ReportId>)]
    before: Option<Parsed<Ulid>>,
    /// The largest number of reports in the page.
    #[serde(default)]
    #[param(inline)]
    limit: HistoryLimit,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttestationQuery {
    /// The listing.
    #[param(example = "4democontract0000000000ab")]
    product: ProductCode,
}

/// Shows the newest reports of readiness.
///
/// The stack checks its listings once a day, and on request. With `product`, the answer is the report of that listing:
/// as JSON, or as a page or text where `Accept` prefers `text/html` or `text/plain`. Without it, the answer has the
/// reports of all listings as JSON, and `products` names the listings without a report too; it is a page or text only
/// in a stack with one listing.
#[utoipa::path(
    get,
    path = "/v1/readiness",
    operation_id = "showReadiness",
    tag = "readiness",
    params(ReportQuery),
    responses(
        (
            status = 200,
            description = "The newest report, or those of all listings.",
            content(
                (ReadinessSchema<'_> = "application/json"),
                (String = "text/html"),
                (String = "text/plain"),
            ),
        ),
        ParameterInvalid, Forbidden, NoReportYet, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn show(
    State(auditor): State<Arc<Auditor>>,
    Query(ReportQuery { product, language }): Query<ReportQuery>,
    presentation: Presentation,
) -> Result<Response, ApiError> {
    let presentation = presentation.in_language(language);
    if let Some(product) = product {
        let listing = auditor.listing(product).await?;
        let report = auditor.store.latest_report(&listing.product_code).await?.ok_or_else(no_report_yet)?;
        return auditor.presented(presentation, StatusCode::OK, report).await;
    }
    let listings = auditor.store.all_listings().await?;
    if let (Format::Html | Format::Text, several) = (presentation.format, listings.len())
        && several != 1
    {
        let codes: Vec<&str> = listings.iter().map(|listing| listing.product_code.as_str()).collect();
        let why = format!("a page shows one product, and this stack has several: {}", codes.join(", "));
        return Err(Problem::invalid("product", why).into());
    }
    let mut reports = Vec::new();
    for listing in &listings {
        reports.extend(auditor.store.latest_report(&listing.product_code).await?);
    }
    match presentation.format {
        Format::Json => {
            let products = listings.into_iter().map(|listing| listing.product_code).collect();
            let reports = reports.iter().map(|report| LocalizedReport::of(report, presentation.language)).collect();
            Ok(Json(Reports { products, reports }).into_response())
        }
        Format::Html | Format::Text => {
            let report = reports.pop().ok_or_else(no_report_yet)?;
            auditor.presented(presentation, StatusCode::OK, report).await
        }
    }
}

/// Checks a listing, its pages and its stack now, and answers the report.
///
/// A check whose source does not answer in time is `unknown` in the report, so that the answer takes less than 30
/// seconds. The pages are checked with a probe, which this request creates.
#[utoipa::path(
    post,
    path = "/v1/readiness/runs",
    operation_id = "checkReadiness",
    tag = "readiness",
    params(AuditQuery),
    request_body(content = NewAudit, example = json!({ "product": "4democontract0000000000ab" })),
    responses(
        (
            status = 201,
            description = "The report.",
            content((LocalizedReport<'_> = "application/json"), (String = "text/html"), (String = "text/plain")),
        ),
        BodyInvalid, Forbidden, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn audit(
    State(auditor): State<Arc<Auditor>>,
    Query(AuditQuery { language }): Query<AuditQuery>,
    presentation: Presentation,
    Host(host): Host,
    extract::Json(NewAudit { product }): extract::Json<NewAudit>,
) -> Result<Response, ApiError> {
    let listing = auditor.listing(product).await?;
    let registration = auditor.registration_url(host.as_deref());
    let report = auditor.audit(&listing, registration, auditor.stack().boxed()).await?;
    auditor.presented(presentation.in_language(language), StatusCode::CREATED, report).await
}

/// Lists the states of the steps in earlier reports, newest first.
#[utoipa::path(
    get,
    path = "/v1/readiness/history",
    operation_id = "listReadiness",
    tag = "readiness",
    params(HistoryQuery),
    responses(
        (status = 200, description = "The reports.", body = History),
        ParameterInvalid, Forbidden, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn history(
    State(auditor): State<Arc<Auditor>>,
    Query(HistoryQuery { product, before, limit }): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let listing = auditor.listing(product).await?;
    let before = before.map(|Parsed(id)| id);
    let (reports, next) = auditor.store.reports(&listing.product_code, before, limit.get()).await?;
    let past = reports.into_iter().map(|report| PastReport { id: report.id, at: report.at, steps: report.steps });
    Ok(Json(History { reports: past.collect(), next }))
}

/// Attests that a check holds.
///
/// The caller is the one who attests it. The attestation is valid for 180 days, and never overrides a failure that was
/// observed. The audit log has it.
#[utoipa::path(
    put,
    path = "/v1/readiness/attestations/{check}",
    operation_id = "attestCheck",
    tag = "readiness",
    params(CheckPath),
    request_body(content = NewAttestation, example = json!({
        "product": "4democontract0000000000ab",
        "note": "No form asks for a card: tried on 2026-11-10.",
    })),
    responses(
        (status = 200, description = "The attestation.", body = Attestation),
        BodyInvalid, Forbidden, NotAttestable, BodyTooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn attest(
    State(auditor): State<Arc<Auditor>>,
    Path(check): Path<String>,
    Query(NoParameters {}): Query<NoParameters>,
    caller: Caller,
    extract::Json(NewAttestation { product, note }): extract::Json<NewAttestation>,
) -> Result<Json<Attestation>, ApiError> {
    let check = attestable(&check)?;
    let note = note.trim();
    if note.is_empty() || note.chars().count() > LONGEST_NOTE {
        let why = format!("must describe in 1 to {LONGEST_NOTE} characters what was checked");
        return Err(Problem::invalid("note", why).into());
    }
    let listing = auditor.listing(product).await?;
    let by = caller.arn().unwrap_or("unknown").to_owned();
    let attestation = Attestation { by, at: auditor.store.clock().now(), note: note.to_owned() };
    auditor.store.put_attestation(&listing.product_code, check.id, &attestation).await?;
    Ok(Json(attestation))
}

/// Withdraws the attestation of a check.
///
/// The audit log has it.
#[utoipa::path(
    delete,
    path = "/v1/readiness/attestations/{check}",
    operation_id = "withdrawAttestation",
    tag = "readiness",
    params(CheckPath, AttestationQuery),
    responses(
        (status = 204, description = "The check is no longer attested."),
        ParameterInvalid, Forbidden, NotAttested, TooLarge, TooMany, Failed, Unavailable,
    ),
)]
pub(crate) async fn withdraw(
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
    /// Returns the URL to which buyers are sent: as the stack knows it, or else on the host of this request.
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
            Format::Json => Ok((status, Json(LocalizedReport::of(&report, language))).into_response()),
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

fn no_report_yet() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_report_yet", "There is no report yet.")
        .detail("the stack audits its listings once a day, and no audit run was requested before that")
        .action("Request an audit run: POST /v1/readiness/runs.")
}

fn attestable(id: &str) -> Result<&'static Check, Problem> {
    check(id).filter(|check| check.is_attestable).ok_or_else(|| {
        let known: Vec<&str> = CHECKS.iter().filter(|check| check.is_attestable).map(|check| check.id).collect();
        Problem::new(StatusCode::NOT_FOUND, "check_not_attestable", "The check cannot be attested.")
            .detail(format!("the checks that can be attested: {}", known.join(", ")))
            .action("Name one of these checks.")
    })
}
