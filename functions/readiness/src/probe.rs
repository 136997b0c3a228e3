//! One request to a page: over HTTPS, to an address that was checked, within the site and within its timeout.

use std::convert::Infallible;
use std::time::Duration;

use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use readiness_checks::{Answer, Observation, ObservedCertificate, Unobserved, terms};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::internet::{ConnectError, Internet};

/// The time that one request may take. AWS's own checks wait 10 seconds; an answer that takes longer is reported as
/// slow, if it arrives at all.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);

/// The most redirects within the site that are followed.
const REDIRECTS: usize = 5;

/// The most bytes of a body that are read, from its start.
const LONGEST_BODY: usize = 512 * 1024;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    method: Method,
    url: Url,
    cookies: Vec<(String, String)>,
    body: Option<(&'static str, String)>,
    redirects: usize,
}

impl PageRequest {
    /// Creates a GET request.
    pub(crate) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, cookies: Vec::new(), body: None, redirects: REDIRECTS }
    }

    /// Creates a POST request.
    pub(crate) fn post(url: Url, content_type: &'static str, body: String) -> Self {
        Self { method: Method::POST, body: Some((content_type, body)), ..Self::get(url) }
    }

    /// Turns redirects off: a redirect is then the answer, wherever it leads.
    pub(crate) fn without_redirects(self) -> Self {
        Self { redirects: 0, ..self }
    }

    /// Adds a cookie, and replaces one of the same name.
    pub(crate) fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.retain(|(known, _)| known != name);
        self.cookies.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The reason why there is no answer.
enum Failed {
    Connect(ConnectError),
    Tls(std::io::Error),
    Broken(String),
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl Failed {
    fn into_unobserved(self, source: String) -> Unobserved {
        match self {
            Self::Connect(ConnectError::Refused(reason)) => Unobserved::Refused { source, reason: reason.to_owned() },
            Self::Connect(ConnectError::Unreachable(reason)) | Self::Broken(reason) => {
                Unobserved::Unreachable { source, reason }
            }
            Self::Tls(error) => Unobserved::Unreachable { source, reason: format!("TLS: {error}") },
        }
    }
}

impl Internet {
    /// Sends a request and follows redirects within the site. A redirect that leaves the site is the answer.
    pub(crate) async fn fetch(&self, page_request: PageRequest) -> Observation<Answer> {
        let page_request = PageRequest { url: self.place(&page_request.url), ..page_request };
        let source = without_secrets(&page_request.url);
        let start = Instant::now();
        match timeout(REQUEST_TIMEOUT, Box::pin(self.follow(page_request))).await {
            Ok(Ok(answer)) => Ok(Answer { elapsed: start.elapsed(), ..answer }),
            Ok(Err(failed)) => Err(failed.into_unobserved(source)),
            Err(_) => Err(Unobserved::TimedOut { source }),
        }
    }

    /// Reads the certificate of a URL's host.
    pub(crate) async fn certificate(&self, url: &Url) -> Observation<ObservedCertificate> {
        let source = without_secrets(url);
        let reading = async {
            match self.connect(url).await {
                Ok(stream) => not_after(&stream).map(ObservedCertificate::Until),
                Err(Failed::Tls(error)) => certificate_problem(&error).ok_or(Failed::Tls(error)),
                Err(failed) => Err(failed),
            }
        };
        match timeout(REQUEST_TIMEOUT, reading).await {
            Ok(read) => read.map_err(|failed| failed.into_unobserved(source)),
            Err(_) => Err(Unobserved::TimedOut { source }),
        }
    }

    async fn follow(&self, mut page_request: PageRequest) -> Result<Answer, Failed> {
        let follows = page_request.redirects > 0;
        for _ in 0..=page_request.redirects {
            let answer = self.once(&page_request).await?;
            let is_redirect = follows && (300..400).contains(&answer.status);
            let next = answer.header("location").filter(|_| is_redirect).and_then(|to| page_request.url.join(to).ok());
            let Some(next) = next.filter(|next| next.origin() == page_request.url.origin()) else { return Ok(answer) };
            // Cookies that the site sets go with the next request. All requests have one origin and belong to one
            // check.
            for (name, value) in answer.headers.iter().filter_map(cookie_set) {
                page_request = page_request.cookie(name, value);
            }
            // Browsers do the same: only 307 and 308 repeat the method and the body.
            if !matches!(answer.status, 307 | 308) {
                page_request.method = Method::GET;
                page_request.body = None;
            }
            page_request.url = next;
        }
        Err(Failed::Broken(terms::TOO_MANY_REDIRECTS.to_owned()))
    }

    async fn once(&self, page_request: &PageRequest) -> Result<Answer, Failed> {
        let stream = self.connect(&page_request.url).await?;
        let broken = |error: hyper::Error| Failed::Broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = page_request.request()?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let headers = response.headers().clone();
            let body = read_start(response.into_body()).await;
            Ok::<_, Failed>((status, headers, body))
        };
        // The connection runs beside the exchange and is dropped with it. If it ends first, the exchange reports that.
        let driven = async {
            let _ended = connection.await;
            std::future::pending::<Infallible>().await
        };
        let (status, headers, body) = tokio::select! {
            answer = exchange => answer?,
            never = driven => match never {},
        };
        let headers = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        Ok(Answer {
            status: StatusCode::as_u16(&status),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body,
            elapsed: Duration::ZERO,
        })
    }

    async fn connect(&self, url: &Url) -> Result<TlsStream<TcpStream>, Failed> {
        let addresses = self.addresses(url).await?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host).map_err(|error| Failed::Broken(error.to_string()))?;
        let mut last = Failed::Broken(terms::NOT_FOUND.to_owned());
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let tls = self.tls().map_err(|error| Failed::Broken(error.to_string()))?;
                    let connector = TlsConnector::from(tls);
                    return connector.connect(name, stream).await.map_err(Failed::Tls);
                }
                Err(error) => last = Failed::Broken(error.to_string()),
            }
        }
        Err(last)
    }
}

impl PageRequest {
    fn request(&self) -> Result<Request<Full<Bytes>>, Failed> {
        let mut target = self.url.path().to_owned();
        if let Some(query) = self.url.query() {
            target.push('?');
            target.push_str(query);
        }
        let host = self.url.host_str().unwrap_or_default();
        let host = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(target)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("stallkeeper-readiness/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "text/html, application/json;q=0.9, */*;q=0.8")
            .header(header::ACCEPT_LANGUAGE, "en")
            .header(header::CONNECTION, HeaderValue::from_static("close"));
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            request = request.header(header::COOKIE, pairs.collect::<Vec<_>>().join("; "));
        }
        if let Some((content_type, _)) = &self.body {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        let body = self.body.as_ref().map(|(_, body)| body.clone()).unwrap_or_default();
        request.body(Full::from(body)).map_err(|error| Failed::Broken(error.to_string()))
    }
}

/// Returns the name and value of a cookie, if a header sets one.
fn cookie_set((header, value): &(String, String)) -> Option<(&str, &str)> {
    let pair = value.split(';').next().filter(|_| header == "set-cookie")?;
    let (name, value) = pair.split_once('=')?;
    Some((name.trim(), value.trim()))
}

/// Reads the start of a body; if the body breaks off, the part that arrived.
async fn read_start(mut body: impl Body<Data = Bytes> + Unpin) -> String {
    let mut read = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        read.extend_from_slice(frame.data_ref().map_or(&[], |part| part.as_ref()));
        if read.len() >= LONGEST_BODY {
            read.truncate(LONGEST_BODY);
            break;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn not_after(stream: &TlsStream<TcpStream>) -> Result<Timestamp, Failed> {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let until = certificate.and_then(|certificate| {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    until.ok_or_else(|| Failed::Broken(terms::UNREADABLE_CERTIFICATE.to_owned()))
}

/// Returns the state of a certificate, if it is the reason why a connection failed.
fn certificate_problem(error: &std::io::Error) -> Option<ObservedCertificate> {
    match error.get_ref()?.downcast_ref::<TlsError>()? {
        TlsError::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            let until = Timestamp::from_second(i64::try_from(not_after.as_secs()).ok()?).ok()?;
            Some(ObservedCertificate::Until(until))
        }
        TlsError::InvalidCertificate(problem) => Some(ObservedCertificate::NotTrusted { reason: problem.to_string() }),
        _ => None,
    }
}

/// Returns a page's URL without the parts that may be secret.
pub(crate) fn without_secrets(url: &Url) -> String {
    let mut place = url.clone();
    place.set_query(None);
    place.set_fragment(None);
    // Neither fails for a URL with a host.
    let _ = place.set_username("");
    let _ = place.set_password(None);
    place.into()
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
