//! A browser: it opens the sites of the sandbox's web over TLS, keeps cookies, and follows redirects to any site.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use clock::Clock;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;
use readiness::{Internet, Known};
use tower::util::BoxCloneSyncService;
use url::{Url, form_urlencoded};

/// The time that AWS's own checks wait for a page.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest page, in bytes.
const LONGEST_PAGE: usize = 4 * 1024 * 1024;

const REDIRECTS: usize = 10;

/// The browser's first site: the page with "Set up your account".
const AWS_MARKETPLACE: &str = "https://aws.amazon.com";

/// Resolves names.
type Lookup = BoxCloneSyncService<Name, std::vec::IntoIter<SocketAddr>, io::Error>;

/// A browser that starts without cookies and history.
pub(super) struct Browser {
    http: Client<HttpsConnector<HttpConnector<Lookup>>, Full<Bytes>>,
    known: Known,
    /// The cookies, by host and name.
    cookies: BTreeMap<(String, String), String>,
    /// Every address that it has opened.
    history: Vec<Url>,
}

/// The page that is shown.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) text: String,
    /// The time until the page was complete, including redirects.
    pub(super) took: Duration,
}

/// The reason why no page is shown, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoPage(pub(super) String);

impl Browser {
    /// Creates a browser that knows the addresses of the sandbox's web, and validates certificates by that clock.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up.
    pub(super) fn new(known: Known, clock: Clock) -> anyhow::Result<Self> {
        let tls = Internet::new(known.clone(), clock).tls()?;
        let hosts = known.hosts.clone();
        let lookup = tower::service_fn(move |name: Name| {
            let place = hosts.get(name.as_str()).copied();
            async move {
                match place {
                    Some(place) => Ok(vec![place].into_iter()),
                    // With port 0, the port of the URL applies.
                    None => Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect::<Vec<_>>().into_iter()),
                }
            }
        });
        let mut tcp = HttpConnector::new_with_resolver(BoxCloneSyncService::new(lookup));
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(std::sync::Arc::unwrap_or_clone(tls))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, known, cookies: BTreeMap::new(), history: Vec::new() })
    }

    /// Opens an address.
    pub(super) async fn open(&mut self, url: &Url) -> Result<Page, NoPage> {
        self.go(url, None).await
    }

    /// Submits a form, from the page that is shown or from AWS Marketplace.
    pub(super) async fn send(
        &mut self,
        from: Option<&Page>,
        to: &Url,
        fields: &[(String, String)],
    ) -> Result<Page, NoPage> {
        let origin = from.map_or_else(|| AWS_MARKETPLACE.to_owned(), |page| page.url.origin().ascii_serialization());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.go(to, Some((origin, body))).await
    }

    /// Returns `true` if a secret is in a cookie, or in an address that the browser has opened.
    pub(super) fn shows(&self, secret: &str) -> bool {
        let addresses = self.history.iter().map(Url::as_str);
        self.cookies.values().map(String::as_str).chain(addresses).any(|text| holds(text, secret))
    }

    async fn go(&mut self, url: &Url, mut form: Option<(String, String)>) -> Result<Page, NoPage> {
        let began = Instant::now();
        let mut url = self.known.place(url);
        for _ in 0..=REDIRECTS {
            self.history.push(url.clone());
            let asked = tokio::time::timeout(REQUEST_TIMEOUT, self.ask(&url, form.as_ref()));
            let (status, headers, text) =
                asked.await.map_err(|_| no_page(&url, "nothing came within 10 seconds"))??;
            self.keep_cookies(&url, &headers);
            let to = headers.get(header::LOCATION).filter(|_| status.is_redirection());
            let Some(to) = to.and_then(|to| url.join(to.to_str().ok()?).ok()) else {
                return Ok(Page { url, status, text, took: began.elapsed() });
            };
            // As in browsers, only 307 and 308 repeat the method and the body.
            if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                form = None;
            }
            url = self.known.place(&to);
        }
        Err(no_page(&url, "the redirects do not end"))
    }

    async fn ask(&self, url: &Url, form: Option<&(String, String)>) -> Result<(StatusCode, HeaderMap, String), NoPage> {
        let mut request = Request::builder()
            .method(if form.is_some() { Method::POST } else { Method::GET })
            .uri(url.as_str())
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::ACCEPT_LANGUAGE, "en-US,en;q=0.9");
        let host = url.host_str().unwrap_or_default();
        let cookies = self.cookies.iter().filter(|((of, _), _)| of == host);
        let cookies: Vec<String> = cookies.map(|((_, name), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let mut body = Bytes::new();
        if let Some((origin, fields)) = form {
            request = request
                .header(header::ORIGIN, origin)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            body = fields.clone().into();
        }
        let broken =
            |error: &(dyn std::error::Error + 'static)| no_page(url, &domain::errors::chain(error).to_string());
        let request = request.body(Full::from(body)).map_err(|error| broken(&error))?;
        let answer = self.http.request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST_PAGE).collect().await.map_err(|error| broken(&*error))?.to_bytes();
        Ok((head.status, head.headers, String::from_utf8_lossy(&body).into_owned()))
    }

    fn keep_cookies(&mut self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        for cookie in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) else { continue };
            let key = (host.to_owned(), name.trim().to_owned());
            if value.is_empty() || cookie.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.trim().to_owned());
            }
        }
    }
}

/// Returns `true` if a cookie or an address holds a secret, as it is or percent-encoded.
fn holds(text: &str, secret: &str) -> bool {
    text.contains(secret) || percent_decode_str(text).decode_utf8_lossy().contains(secret)
}

fn no_page(url: &Url, why: &str) -> NoPage {
    let mut place = url.clone();
    place.set_query(None);
    NoPage(format!("{place} cannot be opened: {why}"))
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn a_secret_is_found_in_a_url_in_plain_and_percent_encoded_form() {
        for text in ["https://a.example/?t=a+b/c==", "https://a.example/?t=a%2Bb%2Fc%3D%3D", "a%2bb/c%3d="] {
            assert!(holds(text, "a+b/c=="), "{text}");
        }
        assert!(!holds("https://a.example/?t=a%20b", "a+b/c=="));
    }
}
