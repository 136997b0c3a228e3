//! Reports as they are asked for, looks on demand, and what people attest.

use futures_util::FutureExt;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stallkeeper::http::{Problem, Refusal, Request, Response, negotiate};
use stallkeeper::ids::ProductCode;
use stallkeeper::listing::Listing;
use stallkeeper::readiness::{Attestation, CHECKS, Check, Report, StepFound, check};
use stallkeeper::texts::Language;
use ulid::Ulid;
use url::Url;

use crate::json::Told;
use crate::{Readiness, html, in_time, text};

/// How many reports a page of the history has where the caller does not say.
const PAGE: i32 = 30;
const LONGEST_PAGE: i32 = 100;

/// How many earlier reports an HTML page tells of.
const EARLIER: i32 = 10;

/// The longest note of an attestation, in characters.
const LONGEST_NOTE: usize = 1000;

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

/// How a report is told.
enum Format {
    Json,
    Html,
    Text,
}

impl Readiness {
    pub(crate) async fn answer(&self, request: &Request) -> Result<Response, Refusal> {
        let segments = request.segments();
        match segments.as_slice() {
            ["v1", "readiness"] => {
                request.only_method(&Method::GET)?;
                self.show(request).await
            }
            ["v1", "readiness", "runs"] => {
                request.only_method(&Method::POST)?;
                self.look_now(request).await
            }
            ["v1", "readiness", "history"] => {
                request.only_method(&Method::GET)?;
                self.history(request).await
            }
            ["v1", "readiness", "attestations", check] => {
                request.only_methods(&[Method::PUT, Method::DELETE])?;
                let check = attestable(check)?;
                if request.method == Method::PUT {
                    self.attest(request, check).await
                } else {
                    self.withdraw(request, check).await
                }
            }
            _ => Err(Problem::no_route(request).into()),
        }
    }

    /// `GET /v1/readiness?product=&language=`: the newest report of a product, as JSON, page or text; without a product
    /// that of every listing that has one, and which listings there are, as JSON.
    async fn show(&self, request: &Request) -> Result<Response, Refusal> {
        request.only_parameters(&["product", "language"])?;
        let language = language(request)?;
        if let Some(product) = request.parameter("product") {
            let listing = self.listing(read_product(product)?).await?;
            let report = self.store.latest_report(&listing.product_code).await?.ok_or_else(not_looked)?;
            return self.told(request, StatusCode::OK, report, language).await;
        }
        let listings = self.store.all_listings().await?;
        if let (Format::Html | Format::Text, several) = (format(request), listings.len())
            && several != 1
        {
            let codes: Vec<&str> = listings.iter().map(|listing| listing.product_code.as_str()).collect();
            let why = format!("a page is of one product; this stack has {}", codes.join(", "));
            return Err(Problem::invalid("product", why).into());
        }
        let mut reports = Vec::new();
        for listing in &listings {
            reports.extend(self.store.latest_report(&listing.product_code).await?);
        }
        match format(request) {
            Format::Json => {
                let products = listings.into_iter().map(|listing| listing.product_code).collect();
                let reports = reports.iter().map(|report| Told::of(report, language)).collect();
                Ok(Response::json(StatusCode::OK, &Reports { products, reports }))
            }
            Format::Html | Format::Text => {
                let report = reports.pop().ok_or_else(not_looked)?;
                self.told(request, StatusCode::OK, report, language).await
            }
        }
    }

    /// `POST /v1/readiness/runs` with `{"product": "…"}`: looks anew, and answers the report.
    async fn look_now(&self, request: &Request) -> Result<Response, Refusal> {
        request.only_parameters(&["language"])?;
        let language = language(request)?;
        let Wanted { product } = request.json()?;
        let listing = self.listing(product).await?;
        let report = self.look_at(&listing, self.registration_of(request), self.stack().boxed()).await?;
        self.told(request, StatusCode::CREATED, report, language).await
    }

    /// Where buyers are sent: as the stack knows it, or else beside where this request was sent.
    fn registration_of(&self, request: &Request) -> Option<Url> {
        self.deployment.registration_url.clone().or_else(|| {
            let host = request.host()?;
            Url::parse(&format!("https://{host}/register")).ok()
        })
    }

    /// `GET /v1/readiness/history?product=&before=&limit=`: how far the steps were, newest first.
    async fn history(&self, request: &Request) -> Result<Response, Refusal> {
        request.only_parameters(&["product", "before", "limit"])?;
        let product = request.parameter("product").ok_or_else(|| Problem::invalid("product", "is needed"))?;
        let limit = request.limit(PAGE, LONGEST_PAGE)?;
        let before = request.parameter("before").map(read_id).transpose()?;
        let listing = self.listing(read_product(product)?).await?;
        let (reports, next) = self.store.reports(&listing.product_code, before, limit).await?;
        let past = reports.into_iter().map(|report| Past { id: report.id, at: report.at, steps: report.steps });
        Ok(Response::json(StatusCode::OK, &History { reports: past.collect(), next }))
    }

    /// `PUT /v1/readiness/attestations/{check}` with `{"product": "…", "note": "…"}`: a person says that it is so.
    async fn attest(&self, request: &Request, check: &Check) -> Result<Response, Refusal> {
        request.only_parameters(&[])?;
        let Attested { product, note } = request.json()?;
        let note = note.trim();
        if note.is_empty() || note.chars().count() > LONGEST_NOTE {
            let why = format!("must say in 1 to {LONGEST_NOTE} characters what the check rests on");
            return Err(Problem::invalid("note", why).into());
        }
        let listing = self.listing(product).await?;
        let by = request.caller.as_deref().unwrap_or("unknown").to_owned();
        let attestation = Attestation { by, at: self.store.clock().now(), note: note.to_owned() };
        self.store.put_attestation(&listing.product_code, check.id, &attestation).await?;
        Ok(Response::json(StatusCode::OK, &attestation))
    }

    /// `DELETE /v1/readiness/attestations/{check}?product=`: it is not so any more.
    async fn withdraw(&self, request: &Request, check: &Check) -> Result<Response, Refusal> {
        request.only_parameters(&["product"])?;
        let product = request.parameter("product").ok_or_else(|| Problem::invalid("product", "is needed"))?;
        let listing = self.listing(read_product(product)?).await?;
        let by = request.caller.as_deref();
        if self.store.withdraw_attestation(&listing.product_code, check.id, by).await? {
            return Ok(Response::empty(StatusCode::NO_CONTENT));
        }
        Err(Problem::new(StatusCode::NOT_FOUND, "attestation_unknown", "Nobody attested this.")
            .detail(format!("{} of {}", check.id, listing.product_code))
            .action("There is nothing to take back.")
            .into())
    }

    async fn listing(&self, product: ProductCode) -> Result<Listing, Refusal> {
        let listing = in_time(self.store.listing(&product)).await?;
        let unknown = || Problem::invalid("product", format!("this stack has no listing of {product}"));
        Ok(listing.ok_or_else(unknown)?)
    }

    /// A report as the caller wants to read it.
    async fn told(
        &self,
        request: &Request,
        status: StatusCode,
        report: Report,
        language: Language,
    ) -> Result<Response, Refusal> {
        match format(request) {
            Format::Json => Ok(Response::json(status, &Told::of(&report, language))),
            Format::Text => Ok(Response::text(status, text::table(&report, language))),
            Format::Html => {
                let (earlier, _) = self.store.reports(&report.product, Some(report.id), EARLIER).await?;
                let page = html::page(&report, &earlier, language);
                let page = page.map_err(|error| Problem::unavailable().detail(error))?;
                Ok(Response::html(status, page).header(
                    header::CONTENT_SECURITY_POLICY,
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
                ))
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

fn read_product(text: &str) -> Result<ProductCode, Problem> {
    text.parse().map_err(|error| Problem::invalid("product", error))
}

fn read_id(text: &str) -> Result<Ulid, Problem> {
    Ulid::from_string(text).map_err(|_| Problem::invalid("before", "must be the id of a report"))
}

fn format(request: &Request) -> Format {
    let weight = |ranges: &[&str]| negotiate::weight(request.header(header::ACCEPT).unwrap_or("*/*"), ranges);
    let json = weight(&["application/json", "application/*", "*/*"]);
    let (html, text) = (weight(&["text/html"]), weight(&["text/plain"]));
    match () {
        () if html > json && html >= text => Format::Html,
        () if text > json => Format::Text,
        () => Format::Json,
    }
}

fn language(request: &Request) -> Result<Language, Problem> {
    match request.parameter("language") {
        None => Ok(negotiate::language(request.header(header::ACCEPT_LANGUAGE).unwrap_or_default())),
        Some(tag) => Language::tagged(tag).ok_or_else(|| Problem::invalid("language", "is `en` or `ja`")),
    }
}
