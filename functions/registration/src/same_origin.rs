//! Whether a form was sent by one of our own pages.

use http::header;
use stallkeeper::http::Request;
use url::Url;

/// Whether the browser says that one of our own pages sent this form.
///
/// A browser that sends `Sec-Fetch-Site` knows it best, also where a proxy asks us by another host than the browser
/// did. Of others the `Origin` must name the host that was asked. One that says neither, or hides where it comes from
/// (`Origin: null`), is refused.
pub(crate) fn is_own_form(request: &Request) -> bool {
    match (request.header(header::ORIGIN), request.header("sec-fetch-site")) {
        (Some("null"), _) | (None, None) => false,
        (_, Some(site)) => site == "same-origin",
        (Some(origin), None) => request.host().is_some_and(|host| is_origin_of(origin, host)),
    }
}

/// Whether an origin is that of a host, with its port; a scheme's own port may be left out on either side.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let asked = Url::parse(&format!("{}://{host}", origin.scheme()));
    matches!(origin.scheme(), "https" | "http") && asked.is_ok_and(|asked| asked.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_for_tests;

    #[test]
    fn only_a_form_of_our_own_page_is_taken() {
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
            let request = request_for_tests("POST", "/register/details", &headers, "");
            assert_eq!(is_own_form(&request), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_port_of_a_local_machine_counts() {
        assert!(is_origin_of("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(!is_origin_of("http://127.0.0.1:8081", "127.0.0.1:8080"));
        assert!(!is_origin_of("file:///", ""));
    }
}
