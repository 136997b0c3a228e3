//! The check that one of our own pages sent a form.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use lambda::http::extract::{Host, text_of};
use url::Url;

use crate::failure::{Failed, Failure};

/// A form that one of our own pages sent, as the browser states.
pub(crate) struct SameOrigin;

impl<S: Send + Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let Ok(Host(host)) = Host::from_request_parts(parts, state).await;
        if is_own_form(&parts.headers, host.as_deref()) { Ok(Self) } else { Err(Failure::CrossSite.into()) }
    }
}

/// Returns `true` if the browser states that one of our own pages sent this form.
///
/// `Sec-Fetch-Site` decides where the browser sends it: it is right even behind a proxy that requests another host than
/// the browser did. Without it, the `Origin` must name the requested host. A request with neither header, or with
/// `Origin: null`, is refused.
fn is_own_form(headers: &HeaderMap, host: Option<&str>) -> bool {
    match (text_of(headers, header::ORIGIN), text_of(headers, "sec-fetch-site")) {
        (Some("null"), _) | (None, None) => false,
        (_, Some(site)) => site == "same-origin",
        (Some(origin), None) => host.is_some_and(|host| is_origin_of(origin, host)),
    }
}

/// Returns `true` if an origin is that of a host, with its port. Either side may leave out the default port of the scheme.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let asked = Url::parse(&format!("{}://{host}", origin.scheme()));
    matches!(origin.scheme(), "https" | "http") && asked.is_ok_and(|asked| asked.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_for_tests;

    #[tokio::test]
    async fn only_a_form_of_our_own_page_is_taken() {
        let cases: [(&[(&str, &str)], bool); 15] = [
            (&[("origin", "https://register.example.com")], true),
            (&[("origin", "https://REGISTER.example.com")], true),
            (&[("origin", "https://register.example.com:443")], true),
            (&[("origin", "https://register.example.com"), ("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[], false),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://register.example.com.evil.example")], false),
            (&[("origin", "https://register.example.com:8443")], false),
            (&[("origin", "https://register.example.com"), ("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "register.example.com")], false),
        ];
        for (headers, expected) in cases {
            let headers = [&[("host", "register.example.com")], headers].concat();
            let (mut parts, _) = request_for_tests(&headers, "").into_parts();
            let form = SameOrigin::from_request_parts(&mut parts, &()).await;
            assert_eq!(form.is_ok(), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_port_of_a_local_machine_counts() {
        assert!(is_origin_of("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(!is_origin_of("http://127.0.0.1:8081", "127.0.0.1:8080"));
        assert!(!is_origin_of("file:///", ""));
    }
}
