//! The registration page, as AWS's reviewers check it.

use std::time::Duration;

use jiff::SignedDuration;

use super::facts::{Answer, Facts, ObservedCertificate};
use super::judgement::{Verdict, fail, if_observed, listed, missing, pass, unsure};
use super::terms;
use domain::listing::unfit_for_fulfillment;

/// The least time for which a certificate must still be valid.
const CERTIFICATE_LEFT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The time that AWS's own checks wait for the page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Parts of an answer that was not written for users.
const TRACES: [&str; 8] = [
    "stack trace",
    "traceback (most recent call last)",
    "internal server error",
    "panicked at",
    "exception in thread",
    "unhandled exception",
    "\n    at ",
    "at object.<anonymous>",
];

/// Parts of an answer that describes to a buyer what to do.
const ADVICE: [&str; 5] = ["set up your account", "try again", "manage subscriptions", "もう一度", "あらためて"];

/// Parts of an answer that refers to support without the product: a made-up token identifies none.
const SELLERS_SUPPORT: [&str; 2] = ["contact the seller you bought from", "販売元にお問い合わせ"];

pub(super) fn https(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.page.address, |address| {
        if let Some(problem) = unfit_for_fulfillment(address) {
            return fail("not_accepted", [("url", address.to_string()), ("problem", terms::of_url(problem))]);
        }
        if_observed(&facts.page.certificate, |certificate| match certificate {
            ObservedCertificate::Until(until) => {
                let left = until.duration_since(facts.now);
                let with = [("url", address.to_string()), ("until", until.to_string())];
                if left < CERTIFICATE_LEFT { fail("expires_soon", with) } else { pass("ok", with) }
            }
            ObservedCertificate::NotTrusted { reason } => {
                fail("untrusted", [("url", address.to_string()), ("reason", reason.clone())])
            }
        })
    })
}

pub(super) fn accepts_post(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.page.invalid_token, |answer| {
        let with = [("status", answer.status.to_string()), ("seconds", format!("{:.1}", answer.elapsed.as_secs_f64()))];
        if answer.status >= 500 {
            fail("broken", with)
        } else if matches!(answer.status, 404 | 405) {
            missing("none", with)
        } else if answer.elapsed > PAGE_TIMEOUT {
            fail("slow", with)
        } else {
            pass("ok", with)
        }
    })
}

pub(super) fn bad_token_explained(facts: &Facts<'_>) -> Verdict {
    if_observed(&facts.page.invalid_token, |answer| {
        let text = answer.body.to_lowercase();
        if let Some(trace) = TRACES.into_iter().find(|trace| text.contains(trace)) {
            return fail("trace", [("trace", trace.trim().to_owned())]);
        }
        if answer.status < 400 {
            return unsure("accepted", [("status", answer.status.to_string())]);
        }
        if !ADVICE.into_iter().any(|advice| text.contains(advice)) {
            return fail("no_advice", []);
        }
        let names_the_seller = SELLERS_SUPPORT.into_iter().any(|words| text.contains(words));
        if names_the_seller || names_support(facts, answer) { pass("ok", []) } else { fail("no_support", []) }
    })
}

pub(super) fn email_field(facts: &Facts<'_>) -> Verdict {
    on_the_form(facts, |answer| asks_for_email(&answer.body))
}

/// Returns `true` if a page has a field for a mail address.
pub(super) fn asks_for_email(page: &str) -> bool {
    let asks = |tag: String| tag.contains("type=\"email\"") || tag.contains("name=\"email\"");
    tags(page, "input").filter(|tag| !tag.contains("type=\"hidden\"")).any(asks)
}

/// Returns the links and buttons of a page, each with its attributes and its content, in lowercase.
pub(super) fn links_and_buttons(page: &str) -> impl Iterator<Item = String> {
    let ended = |end: &'static str| move |rest: String| rest.split(end).next().unwrap_or_default().to_owned();
    let buttons = after(page, "button").map(ended("</button"));
    let inputs = tags(page, "input").filter(|tag| tag.contains("type=\"submit\"") || tag.contains("type=\"button\""));
    after(page, "a").map(ended("</a")).chain(buttons).chain(inputs)
}

pub(super) fn support_contact(facts: &Facts<'_>) -> Verdict {
    on_the_form(facts, |answer| names_support(facts, answer))
}

pub(super) fn english(facts: &Facts<'_>) -> Verdict {
    on_the_form(facts, |answer| {
        let is_english = tags(&answer.body, "html").any(|tag| tag.contains("lang=\"en"));
        let has_english = ["hreflang=\"en\"", "lang=\"en\""];
        is_english
            || ["a", "link", "button"]
                .iter()
                .any(|name| tags(&answer.body, name).any(|tag| has_english.iter().any(|mark| tag.contains(mark))))
    })
}

pub(super) fn existing_account_link(facts: &Facts<'_>) -> Verdict {
    on_the_form(facts, |answer| {
        links_and_buttons(&answer.body).any(|to| {
            ["sign in", "sign-in", "log in", "login", "existing account", "already have an account", "サインイン"]
                .iter()
                .any(|words| to.contains(words))
        })
    })
}

pub(super) fn security_headers(facts: &Facts<'_>) -> Verdict {
    on_the_form_or(facts, |answer| {
        let has = |name: &str, part: &str| answer.header(name).is_some_and(|value| value.contains(part));
        let is_own_frame = ["frame-ancestors 'none'", "frame-ancestors 'self'"]
            .iter()
            .any(|policy| has("content-security-policy", policy))
            || answer
                .header("x-frame-options")
                .is_some_and(|value| ["deny", "sameorigin"].contains(&value.trim().to_ascii_lowercase().as_str()));
        let wanted = [
            ("Content-Security-Policy", answer.header("content-security-policy").is_some()),
            ("Strict-Transport-Security", answer.header("strict-transport-security").is_some_and(lasts)),
            ("frame-ancestors", is_own_frame),
            ("Cache-Control: no-store", has("cache-control", "no-store")),
        ];
        let missing_headers: Vec<_> = wanted.iter().filter(|(_, is_there)| !is_there).map(|(name, _)| *name).collect();
        if missing_headers.is_empty() {
            pass("ok", [])
        } else {
            fail("missing", [("headers", listed(missing_headers))])
        }
    })
}

/// Returns `true` if a Strict-Transport-Security header has a positive duration (RFC 6797, section 6.1.1: 0 ends it).
fn lasts(header: &str) -> bool {
    let age = header.split(';').find_map(|part| part.trim().strip_prefix("max-age="));
    age.and_then(|age| age.trim_matches('"').parse::<u64>().ok()).is_some_and(|seconds| seconds > 0)
}

/// Judges the page that a buyer fills in by what it offers.
fn on_the_form(facts: &Facts<'_>, offers: impl FnOnce(&Answer) -> bool) -> Verdict {
    on_the_form_or(facts, |answer| if offers(answer) { pass("ok", []) } else { fail("none", []) })
}

fn on_the_form_or(facts: &Facts<'_>, judge: impl FnOnce(&Answer) -> Verdict) -> Verdict {
    if_observed(&facts.page.form, |answer| {
        if answer.is_ok() { judge(answer) } else { missing("no_form", [("status", answer.status.to_string())]) }
    })
}

fn names_support(facts: &Facts<'_>, answer: &Answer) -> bool {
    let support = &facts.listing.support;
    answer.body.contains(&support.email) || support.url.as_ref().is_some_and(|url| answer.body.contains(url.as_str()))
}

/// Returns the opening tags with a name in an HTML page, in lowercase.
fn tags(page: &str, name: &str) -> impl Iterator<Item = String> {
    after(page, name).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag.replace('\'', "\"")))
}

/// Returns the text after each opening of a tag with a name in an HTML page, up to the next one, in lowercase.
fn after(page: &str, name: &str) -> impl Iterator<Item = String> {
    let page = page.to_lowercase();
    let found: Vec<String> = page
        .split(&format!("<{name}"))
        .skip(1)
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/'))
        .map(str::to_owned)
        .collect();
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Case, table, unobserved};

    #[test]
    fn the_address_must_be_accepted_by_the_catalog_and_its_certificate_valid_for_14_days() {
        table(
            "page.https",
            &[
                Case::pass("ok", |_| {}),
                Case::fail("not_accepted", |facts| {
                    facts.page.address = Ok("http://a.example.com/register".parse().unwrap())
                }),
                Case::fail("not_accepted", |facts| {
                    facts.page.address = Ok("https://a.example.com:8443/r".parse().unwrap())
                }),
                Case::fail("not_accepted", |facts| {
                    facts.page.address = Ok("https://a.example.com/r?x=1".parse().unwrap())
                }),
                Case::fail("not_accepted", |facts| {
                    facts.page.address = Ok("https://a.example.com/r#x".parse().unwrap())
                }),
                Case::fail("not_accepted", |facts| facts.page.address = Ok("https://203.0.113.7/r".parse().unwrap())),
                Case::fail("not_accepted", |facts| {
                    facts.page.address = Ok("https://a.example.com/%20".parse().unwrap())
                }),
                Case::fail("not_accepted", |facts| {
                    facts.page.address = Ok("https://me@a.example.com/r".parse().unwrap())
                }),
                Case::fail("expires_soon", |facts| {
                    let until = facts.now + SignedDuration::from_hours(14 * 24 - 1);
                    facts.page.certificate = Ok(ObservedCertificate::Until(until));
                }),
                Case::pass("ok", |facts| {
                    let until = facts.now + SignedDuration::from_hours(14 * 24);
                    facts.page.certificate = Ok(ObservedCertificate::Until(until));
                }),
                Case::fail("untrusted", |facts| {
                    let reason = "certificate not valid for name".to_owned();
                    facts.page.certificate = Ok(ObservedCertificate::NotTrusted { reason });
                }),
                Case::unobserved(|facts| facts.page.certificate = Err(unobserved())),
                Case::unobserved(|facts| facts.page.address = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn an_invalid_token_is_answered_in_time_and_without_a_server_error() {
        table(
            "page.accepts_post",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| facts.page.invalid_token.as_mut().unwrap().status = 400),
                Case::fail("broken", |facts| facts.page.invalid_token.as_mut().unwrap().status = 502),
                Case::missing("none", |facts| facts.page.invalid_token.as_mut().unwrap().status = 404),
                Case::missing("none", |facts| facts.page.invalid_token.as_mut().unwrap().status = 405),
                Case::fail("slow", |facts| {
                    facts.page.invalid_token.as_mut().unwrap().elapsed = Duration::from_millis(10_001);
                }),
                Case::unobserved(|facts| facts.page.invalid_token = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn the_answer_to_an_invalid_token_explains_what_to_do() {
        fn set_body(facts: &mut Facts<'_>, text: &str) {
            facts.page.invalid_token.as_mut().unwrap().body = text.to_owned();
        }
        table(
            "page.bad_token_explained",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| set_body(facts, "Please try again or write to support@example.com")),
                Case::fail("trace", |facts| set_body(facts, "Internal Server Error. Try again: support@example.com")),
                Case::fail("trace", |facts| set_body(facts, "Error: no\n    at index.js:1 support@example.com")),
                // The text of the registration page if a token identifies no product.
                Case::pass("ok", |facts| {
                    set_body(
                        facts,
                        "Choose Set up your account again. Questions? Contact the seller you bought from, at AWS Marketplace",
                    );
                }),
                Case::unsure("accepted", |facts| facts.page.invalid_token.as_mut().unwrap().status = 303),
                Case::fail("no_advice", |facts| set_body(facts, "No. AWS Marketplace support@example.com")),
                Case::fail("no_support", |facts| set_body(facts, "Please try again.")),
                Case::unobserved(|facts| facts.page.invalid_token = Err(unobserved())),
            ],
        );
    }

    #[test]
    fn the_form_has_what_aws_requires_of_a_registration_page() {
        fn set_body(facts: &mut Facts<'_>, text: &str) {
            facts.page.form.as_mut().unwrap().body = text.to_owned();
        }
        fn nothing(facts: &mut Facts<'_>) {
            set_body(facts, "<!doctype html><html lang=\"ja\"><input type=\"text\"></html>");
        }
        for id in ["page.email_field", "page.support_contact", "page.english", "page.existing_account_link"] {
            table(
                id,
                &[
                    Case::pass("ok", |_| {}),
                    Case::fail("none", nothing),
                    Case::missing("no_form", |facts| facts.page.form.as_mut().unwrap().status = 404),
                    Case::unobserved(|facts| facts.page.form = Err(unobserved())),
                ],
            );
        }
        table(
            "page.email_field",
            &[
                Case::pass("ok", |facts| set_body(facts, "<INPUT id=e TYPE='email'>")),
                Case::fail("none", |facts| set_body(facts, "<input type=\"hidden\" name=\"email\">")),
            ],
        );
        table(
            "page.english",
            &[
                Case::pass("ok", |facts| {
                    set_body(facts, "<html lang=\"ja\"><a hreflang=\"en\" href=\"?lang=en\">English</a>")
                }),
                // A `lang` attribute of another element offers no language.
                Case::fail("none", |facts| {
                    set_body(facts, "<html lang=\"ja\"><header class=\"a\" lang=\"en\"></header>")
                }),
            ],
        );
        table("page.support_contact", &[Case::pass("ok", |facts| set_body(facts, "https://www.example.com/support"))]);
        table(
            "page.existing_account_link",
            &[
                Case::pass("ok", |facts| {
                    set_body(facts, "<button class='b' name='account'>I already have an account</button>")
                }),
                Case::pass("ok", |facts| set_body(facts, "<A HREF='/sign-in'><img alt=''></A>")),
                Case::pass("ok", |facts| set_body(facts, "<a href=\"/x\"><span>サインイン</span></a>")),
                Case::pass("ok", |facts| set_body(facts, "<input type=\"submit\" value=\"Log in\">")),
                // Text about signing in is no link to it.
                Case::fail("none", |facts| {
                    set_body(facts, "<p>Or sign in.</p><a href=\"/\">Home</a> Login Manager <article>login</article>")
                }),
            ],
        );
    }

    #[test]
    fn the_form_cannot_be_framed_cached_or_intercepted() {
        fn without(facts: &mut Facts<'_>, name: &str) {
            facts.page.form.as_mut().unwrap().headers.retain(|(known, _)| known != name);
        }
        fn with(facts: &mut Facts<'_>, name: &str, value: &str) {
            without(facts, name);
            facts.page.form.as_mut().unwrap().headers.push((name.to_owned(), value.to_owned()));
        }
        table(
            "page.security_headers",
            &[
                Case::pass("ok", |_| {}),
                Case::fail("missing", |facts| without(facts, "content-security-policy")),
                Case::fail("missing", |facts| without(facts, "strict-transport-security")),
                Case::fail("missing", |facts| without(facts, "cache-control")),
                Case::fail("missing", |facts| with(facts, "strict-transport-security", "max-age=0")),
                Case::fail("missing", |facts| with(facts, "content-security-policy", "frame-ancestors *")),
                Case::pass("ok", |facts| {
                    with(facts, "content-security-policy", "default-src 'self'");
                    with(facts, "x-frame-options", "DENY");
                }),
                Case::missing("no_form", |facts| facts.page.form.as_mut().unwrap().status = 500),
                Case::unobserved(|facts| facts.page.form = Err(unobserved())),
            ],
        );
    }
}
