//! Probes against a web server that the test starts, over TLS.

use std::collections::HashMap;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;
use clock::Clock;

use crate::internet::Known;

const HOST: &str = "app.example.com";

/// Starts a server with an answer for each path, and returns the network access that reaches it.
async fn served(until: (i32, u8, u8), answers: &'static [(&'static str, &'static str)]) -> Internet {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let place = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let (mut read, mut part) = (Vec::new(), [0; 4096]);
                while !read.windows(4).any(|end| end == b"\r\n\r\n") {
                    let Ok(length @ 1..) = stream.read(&mut part).await else { return };
                    read.extend_from_slice(&part[..length]);
                }
                let text = String::from_utf8(read).unwrap();
                let path = text.split(' ').nth(1).unwrap();
                match answers.iter().find(|(of, _)| *of == path) {
                    Some((_, "never")) => std::future::pending().await,
                    Some((_, "echo")) => {
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                    Some((_, answer)) => stream.write_all(answer.as_bytes()).await.unwrap(),
                    None => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap(),
                }
                let _closed = stream.shutdown().await;
            });
        }
    });
    Internet::new(
        Known { hosts: HashMap::from([(HOST.to_owned(), place)]), roots: vec![certificate], ..Known::default() },
        Clock::System,
    )
}

fn at(path: &str) -> Url {
    format!("https://{HOST}{path}").parse().unwrap()
}

fn until(moment: &str) -> ObservedCertificate {
    ObservedCertificate::Until(moment.parse().unwrap())
}

#[tokio::test]
async fn redirects_are_followed_only_within_the_site() {
    let internet = served(
        (2100, 1, 1),
        &[
            ("/", "HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\ncontent-length: 4\r\n\r\nhere"),
            ("/moved", "HTTP/1.1 302 Found\r\nlocation: /?x=1\r\ncontent-length: 0\r\n\r\n"),
            ("/?x=1", "HTTP/1.1 200 OK\r\n\r\nuntil it closes"),
            ("/away", "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example.com/\r\ncontent-length: 0\r\n\r\n"),
            ("/down", "HTTP/1.1 302 Found\r\nlocation: http://app.example.com/\r\ncontent-length: 0\r\n\r\n"),
            ("/inside", "HTTP/1.1 302 Found\r\nlocation: https://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"),
            ("/round", "HTTP/1.1 302 Found\r\nlocation: /round\r\ncontent-length: 0\r\n\r\n"),
            ("/half", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
            ("/noise", "not HTTP at all"),
            ("/echo", "echo"),
        ],
    )
    .await;
    let answer = internet.fetch(PageRequest::get(at("/"))).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str(), answer.header("x-frame-options")), (200, "here", Some("DENY")));
    let followed = internet.fetch(PageRequest::get(at("/moved"))).await.unwrap();
    assert_eq!((followed.status, followed.body.as_str()), (200, "until it closes"));
    for left in ["/away", "/down", "/inside"] {
        let answer = internet.fetch(PageRequest::get(at(left))).await.unwrap();
        assert!(answer.leaves_the_site(), "{left}: {answer:?}");
    }
    let half = internet.fetch(PageRequest::get(at("/half"))).await.unwrap();
    assert_eq!(half.body, "half", "the beginning is read");
    for (path, reason) in [("/round", terms::TOO_MANY_REDIRECTS), ("/noise", "invalid HTTP version parsed")] {
        let unobserved = internet.fetch(PageRequest::get(at(path))).await.unwrap_err();
        assert_eq!(unobserved, Unobserved::Unreachable { source: at(path).into(), reason: reason.to_owned() });
    }
    let unfollowed = internet.fetch(PageRequest::get(at("/moved")).without_redirects()).await.unwrap();
    assert_eq!((unfollowed.status, unfollowed.header("location")), (302, Some("/?x=1")));
    let form = PageRequest::post(at("/echo"), "application/x-www-form-urlencoded", "a=1".to_owned());
    let sent = internet.fetch(form.cookie("name", "value")).await.unwrap().body.to_lowercase();
    for line in ["post /echo http/1.1", "host: app.example.com", "cookie: name=value", "content-length: 3"] {
        assert!(sent.contains(line), "{line}: {sent}");
    }
    assert_eq!(internet.certificate(&at("/")).await, Ok(until("2100-01-01T00:00:00Z")));
}

#[tokio::test]
async fn cookies_of_a_redirect_are_sent_with_the_next_request() {
    let internet = served(
        (2100, 1, 1),
        &[
            (
                "/sign-up?code=secret",
                "HTTP/1.1 303 See Other\r\nlocation: /form\r\nset-cookie: __Host-session=abc=; Path=/; Secure\r\n\
                 set-cookie: theme=dark\r\nset-cookie: first=new\r\ncontent-length: 0\r\n\r\n",
            ),
            ("/form", "echo"),
        ],
    )
    .await;
    let arrival = PageRequest::get(at("/sign-up?code=secret")).cookie("first", "old").cookie("kept", "1");
    let sent = internet.fetch(arrival).await.unwrap().body;
    assert!(sent.contains("cookie: kept=1; __Host-session=abc=; theme=dark; first=new\r\n"), "{sent}");
    // Another request does not send these cookies.
    let sent = internet.fetch(PageRequest::get(at("/form"))).await.unwrap().body;
    assert!(!sent.contains("cookie:"), "{sent}");
}

#[tokio::test]
async fn a_page_that_never_answers_times_out_and_its_query_is_not_reported() {
    let internet = served((2100, 1, 1), &[("/slow?code=secret", "never")]).await;
    tokio::time::pause();
    let start = Instant::now();
    let unobserved = internet.fetch(PageRequest::get(at("/slow?code=secret"))).await.unwrap_err();
    assert_eq!(unobserved, Unobserved::TimedOut { source: at("/slow").into() });
    assert_eq!(start.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs());
}

#[tokio::test]
async fn an_expired_certificate_is_reported_with_its_expiry() {
    let internet = served((2021, 6, 1), &[]).await;
    assert_eq!(internet.certificate(&at("/")).await, Ok(until("2021-06-01T00:00:00Z")));
    let unobserved = internet.fetch(PageRequest::get(at("/"))).await.unwrap_err();
    assert!(matches!(unobserved, Unobserved::Unreachable { reason, .. } if reason.contains("expired")));
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported_and_no_request_is_sent() {
    let real = served((2100, 1, 1), &[("/", "HTTP/1.1 200 OK\r\n\r\n")]).await;
    let place = real.addresses(&at("/")).await.unwrap()[0];
    let roots = real.known.roots.clone();
    let internet = |host: &str, roots| {
        Internet::new(
            Known { hosts: HashMap::from([(host.to_owned(), place)]), roots, ..Known::default() },
            Clock::System,
        )
    };
    let unknown_issuer = (internet(HOST, Vec::new()), at("/"), "UnknownIssuer");
    let other_name = (internet("other.example.com", roots), "https://other.example.com/".parse().unwrap(), "name");
    for (internet, url, wanted) in [unknown_issuer, other_name] {
        let certificate = internet.certificate(&url).await;
        let Ok(ObservedCertificate::NotTrusted { reason }) = &certificate else { panic!("{certificate:?}") };
        assert!(reason.contains(wanted), "{reason}");
        assert!(matches!(internet.fetch(PageRequest::get(url)).await, Err(Unobserved::Unreachable { .. })));
    }
    // An unreachable host says nothing about a certificate.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let internet =
        Internet::new(Known { hosts: HashMap::from([(HOST.to_owned(), nobody)]), ..Known::default() }, Clock::System);
    assert!(matches!(internet.certificate(&at("/")).await, Err(Unobserved::Unreachable { .. })));
}
