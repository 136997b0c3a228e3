//! One request to a page: over HTTPS, to an address that was checked, within the site and within its timeout.

use std::convert::Infallible;
use std::time::Duration;

use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use readiness_checks::{Answer, Blind, CertificateSeen, Look, word};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::internet::{Internet, NoWay};

/// The time that one request may take. AWS's own checks wait 10 seconds; an answer that takes longer is reported as
/// slow, if it arrives at all.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);

/// The most redirects within the site that are followed.
const REDIRECTS: usize = 5;

/// The most bytes of a body that are read, from its start.
const LONGEST_BODY: usize = 512 * 1024;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: Method,
    url: Url,
    cookies: Vec<(String, String)>,
    body: Option<(&'static str, String)>,
    redirects: usize,
}

impl Ask {
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
    NoWay(NoWay),
    Tls(std::io::Error),
    Broken(String),
}

impl From<NoWay> for Failed {
    fn from(no_way: NoWay) -> Self {
        Self::NoWay(no_way)
    }
}

impl Failed {
    fn blind(self, what: String) -> Blind {
        match self {
            Self::NoWay(NoWay::Refused(reason)) => Blind::Refused { what, reason: reason.to_owned() },
            Self::NoWay(NoWay::Unreachable(reason)) | Self::Broken(reason) => Blind::Unreachable { what, reason },
            Self::Tls(error) => Blind::Unreachable { what, reason: format!("TLS: {error}") },
        }
    }
}

impl Internet {
    /// Sends a request and follows redirects within the site. A redirect that leaves the site is the answer.
    pub(crate) async fn ask(&self, ask: Ask) -> Look<Answer> {
        let ask = Ask { url: self.place(&ask.url), ..ask };
        let what = without_secrets(&ask.url);
        let began = Instant::now();
        match timeout(REQUEST_TIMEOUT, Box::pin(self.follow(ask))).await {
            Ok(Ok(answer)) => Ok(Answer { took: began.elapsed(), ..answer }),
            Ok(Err(failed)) => Err(failed.blind(what)),
            Err(_) => Err(Blind::TimedOut { what }),
        }
    }

    /// Reads the certificate of a URL's host.
    pub(crate) async fn certificate(&self, url: &Url) -> Look<CertificateSeen> {
        let what = without_secrets(url);
        let seen = async {
            match self.connect(url).await {
                Ok(stream) => not_after(&stream).map(CertificateSeen::Until),
                Err(Failed::Tls(error)) => unfit(&error).ok_or(Failed::Tls(error)),
                Err(failed) => Err(failed),
            }
        };
        match timeout(REQUEST_TIMEOUT, seen).await {
            Ok(seen) => seen.map_err(|failed| failed.blind(what)),
            Err(_) => Err(Blind::TimedOut { what }),
        }
    }

    async fn follow(&self, mut ask: Ask) -> Result<Answer, Failed> {
        let follows = ask.redirects > 0;
        for _ in 0..=ask.redirects {
            let answer = self.once(&ask).await?;
            let is_redirect = follows && (300..400).contains(&answer.status);
            let next = answer.header("location").filter(|_| is_redirect).and_then(|to| ask.url.join(to).ok());
            let Some(next) = next.filter(|next| next.origin() == ask.url.origin()) else { return Ok(answer) };
            // Cookies that the site sets go with the next request. All requests have one origin and belong to one
            // check.
            for (name, value) in answer.headers.iter().filter_map(cookie_set) {
                ask = ask.cookie(name, value);
            }
            // Browsers do the same: only 307 and 308 repeat the method and the body.
            if !matches!(answer.status, 307 | 308) {
                ask.method = Method::GET;
                ask.body = None;
            }
            ask.url = next;
        }
        Err(Failed::Broken(word::ENDLESS.to_owned()))
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, Failed> {
        let stream = self.connect(&ask.url).await?;
        let broken = |error: hyper::Error| Failed::Broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = ask.request()?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let headers = response.headers().clone();
            let body = beginning(response.into_body()).await;
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
            took: Duration::ZERO,
        })
    }

    async fn connect(&self, url: &Url) -> Result<TlsStream<TcpStream>, Failed> {
        let addresses = self.addresses(url).await?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host).map_err(|error| Failed::Broken(error.to_string()))?;
        let mut last = Failed::Broken(word::NOT_FOUND.to_owned());
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

impl Ask {
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
async fn beginning(mut body: impl Body<Data = Bytes> + Unpin) -> String {
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
    until.ok_or_else(|| Failed::Broken(word::UNREADABLE_CERTIFICATE.to_owned()))
}

/// Returns the state of a certificate, if it is the reason why a connection failed.
fn unfit(error: &std::io::Error) -> Option<CertificateSeen> {
    match error.get_ref()?.downcast_ref::<TlsError>()? {
        TlsError::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            let until = Timestamp::from_second(i64::try_from(not_after.as_secs()).ok()?).ok()?;
            Some(CertificateSeen::Until(until))
        }
        TlsError::InvalidCertificate(problem) => Some(CertificateSeen::NotTrusted { reason: problem.to_string() }),
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
