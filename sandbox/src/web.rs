//! The web around the stacks, for clients outside: the registration pages under the names that AWS knows, the seller's
//! applications and its website, over TLS on one port.
//!
//! No name is resolved here: each client gets the addresses from [`Web::known`]. The answers of a site can be
//! altered, so that tests can check that a client notices.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::MockConnectInfo;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use clock::Clock;
use domain::listing::Stage;
use http::{HeaderName, StatusCode, header};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use readiness::Known;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

/// The seller's website.
pub const WEBSITE: &str = "www.example.com";

/// The default validity of a certificate, in days.
const CERTIFICATE_DAYS: i64 = 365;

/// The time that a client's TLS handshake may take.
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest page, in bytes.
const LONGEST_PAGE: usize = 4 * 1024 * 1024;

/// The web around the stacks.
pub struct Web {
    place: SocketAddr,
    authority: CertifiedIssuer<'static, KeyPair>,
    acceptor: Mutex<TlsAcceptor>,
    hosts: Vec<String>,
    altered: Mutex<Vec<AlteredPage>>,
    clock: Clock,
}

/// A page of a site whose answers are falsified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlteredPage {
    /// The site.
    pub host: String,
    /// The page's path.
    pub path: String,
    /// The change to its answers.
    pub answer: Alteration,
}

/// A change to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alteration {
    /// The answer is replaced by another status without a body.
    Status(u16),
    /// The answer never arrives.
    Hang,
    /// The answer is a redirect to this address.
    Redirect(String),
    /// The answer lacks this header.
    WithoutHeader(String),
    /// A part of the answer's text is replaced.
    Replace {
        /// The text that is replaced, wherever it occurs.
        what: String,
        /// The replacement.
        with: String,
    },
}

/// The sites, by host name.
pub(crate) type Sites = HashMap<String, Router>;

/// Returns the host of a stage's registration page, as AWS knows it.
pub(crate) fn registration_host(stage: Stage) -> String {
    format!("{stage}.register.example.com")
}

/// Returns the host of a stage's application.
pub(crate) fn application_host(stage: &str) -> String {
    format!("{stage}.app.example.com")
}

impl Web {
    /// Opens a port for sites with these names, on which nothing answers yet.
    ///
    /// # Errors
    ///
    /// Fails when there is no port, or no certificate can be created.
    pub(crate) async fn open(hosts: Vec<String>, clock: Clock) -> anyhow::Result<(Self, TcpListener)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the web cannot listen on 127.0.0.1")?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let web = Self {
            place: listener.local_addr()?,
            acceptor: Mutex::new(acceptor(&authority, &hosts, after(&clock, CERTIFICATE_DAYS))?),
            authority,
            hosts,
            altered: Mutex::default(),
            clock,
        };
        Ok((web, listener))
    }

    /// Returns what clients must know in advance: the addresses of the sites, the mail domains, and the root of the
    /// certificates.
    pub fn known(&self) -> Known {
        Known {
            hosts: self.hosts.iter().map(|host| (host.clone(), self.place)).collect(),
            mail: HashMap::from([("example.com".to_owned(), true), ("nomail.example.com".to_owned(), false)]),
            roots: vec![self.authority.der().clone()],
            stand_ins: HashMap::new(),
        }
    }

    /// The host names of its sites.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Alters the answers of a page, until [`restore`](Self::restore) restores them.
    pub fn alter(&self, host: &str, path: &str, answer: Alteration) {
        self.altered().push(AlteredPage { host: host.to_owned(), path: path.to_owned(), answer });
    }

    /// The altered pages.
    pub fn altered_pages(&self) -> Vec<AlteredPage> {
        self.altered().clone()
    }

    /// Restores every answer, and gives the sites valid certificates.
    ///
    /// # Errors
    ///
    /// Fails when no certificate can be created.
    pub fn restore(&self) -> anyhow::Result<()> {
        self.altered().clear();
        self.set_certificate_validity(CERTIFICATE_DAYS)
    }

    /// Gives the sites a certificate that is valid until midnight, this many days from now.
    ///
    /// # Errors
    ///
    /// Fails when no certificate can be created.
    pub fn set_certificate_validity(&self, days: i64) -> anyhow::Result<()> {
        let made = acceptor(&self.authority, &self.hosts, after(&self.clock, days))?;
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = made;
        Ok(())
    }

    /// Returns the router of all sites, by host name.
    fn router(self: &Arc<Self>, sites: Sites) -> Router {
        let answered = axum::middleware::from_fn_with_state(Arc::clone(self), alter_response);
        Router::new()
            .fallback(answer)
            .with_state(Arc::new(sites))
            .layer(answered)
            .layer(MockConnectInfo(SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    fn altered(&self) -> MutexGuard<'_, Vec<AlteredPage>> {
        self.altered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").field("place", &self.place).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// The connections to the web, after their TLS handshakes.
struct TlsListener {
    web: Arc<Web>,
    listener: TcpListener,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = axum::serve::Listener::accept(&mut self.listener).await;
            let acceptor = self.web.acceptor.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => return (stream, from),
                Ok(Err(error)) => tracing::debug!(%error, "a client of the web went away"),
                Err(_) => tracing::debug!("a client of the web sends nothing"),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Answers the requests to the web, until it is stopped.
pub(crate) async fn serve(web: Arc<Web>, listener: TcpListener, sites: Sites, mut stop: watch::Receiver<()>) {
    let service = web.router(sites).into_make_service();
    let stopped = async move {
        // Nothing is ever sent: dropping the sender is the signal.
        let _ = stop.changed().await;
    };
    if let Err(error) = axum::serve(TlsListener { web, listener }, service).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the web has stopped");
    }
}

/// The seller's website.
pub(crate) fn website() -> Router {
    let page = |title: &str, text: &str| {
        axum::response::Html(format!(
            "<!doctype html><html lang=\"en\"><title>{title}</title><h1>{title}</h1><p>{text}"
        ))
    };
    let support = page("Support", "Write to support@example.com.");
    let data =
        page("How data is handled", "It is deleted 30 days after the end. Incidents are reported within 72 hours.");
    Router::new().route("/support", get(|| async { support })).route("/data", get(|| async { data }))
}

/// Returns the moment this many days from now.
fn after(clock: &Clock, days: i64) -> Timestamp {
    let hours = SignedDuration::from_hours(days.saturating_mul(24));
    clock.now().checked_add(hours).unwrap_or(Timestamp::MAX)
}

fn acceptor(
    authority: &CertifiedIssuer<'static, KeyPair>,
    hosts: &[String],
    until: Timestamp,
) -> anyhow::Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(hosts.to_vec())?;
    let until = until.to_zoned(TimeZone::UTC).date();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until.year().into(), until.month().try_into()?, until.day().try_into()?);
    let certificate = params.signed_by(&key, authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn host_of(request: &Request) -> String {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_owned()
}

async fn answer(State(sites): State<Arc<Sites>>, request: Request) -> Response {
    let Some(site) = sites.get(&host_of(&request)) else { return StatusCode::MISDIRECTED_REQUEST.into_response() };
    match site.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn alter_response(State(web): State<Arc<Web>>, request: Request, next: axum::middleware::Next) -> Response {
    let (host, path) = (host_of(&request), request.uri().path().to_owned());
    let alterations: Vec<Alteration> = web
        .altered()
        .iter()
        .filter(|altered| altered.host == host && altered.path == path)
        .map(|altered| altered.answer.clone())
        .collect();
    let mut response = next.run(request).await;
    for alteration in alterations {
        response = match alteration {
            Alteration::Status(status) => StatusCode::from_u16(status).unwrap_or_default().into_response(),
            Alteration::Hang => std::future::pending().await,
            Alteration::Redirect(to) => Redirect::to(&to).into_response(),
            Alteration::WithoutHeader(name) => {
                if let Ok(name) = name.parse::<HeaderName>() {
                    response.headers_mut().remove(name);
                }
                response
            }
            Alteration::Replace { what, with } => replaced(response, &what, &with).await,
        };
    }
    response
}

async fn replaced(response: Response, what: &str, with: &str) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_PAGE).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(String::from_utf8_lossy(&body).replace(what, with)))
}
