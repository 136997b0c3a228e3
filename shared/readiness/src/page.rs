//! The registration page, as AWS's reviewers check it.

use std::time::Duration;

use jiff::SignedDuration;

use super::facts::{Answer, CertificateSeen, Facts};
use super::judgement::{Verdict, fail, listed, missing, of, pass, unsure};
use super::word;
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

/// Parts of an answer that tells a buyer what to do.
const ADVICE: [&str; 5] = ["set up your account", "try again", "manage subscriptions", "もう一度", "あらためて"];

/// Parts of an answer that refers to support without the product: a made-up token identifies none.
const SELLERS_SUPPORT: [&str; 2] = ["contact the seller you bought from", "販売元にお問い合わせ"];

pub(super) fn https(facts: &Facts<'_>) -> Verdict {
    of(&facts.page.address, |address| {
        if let Some(problem) = unfit_for_fulfillment(address) {
            return fail("unfit", [("url", address.to_string()), ("problem", word::of_url(problem))]);
        }
        of(&facts.page.certificate, |certificate| match certificate {
            CertificateSeen::Until(until) => {
                let left = until.duration_since(facts.now);
                let with = [("url", address.to_string()), ("until", until.to_string())];
                if left < CERTIFICATE_LEFT { fail("certificate", with) } else { pass("ok", with) }
            }
            CertificateSeen::NotTrusted { reason } => {
                fail("untrusted", [("url", address.to_string()), ("reason", reason.clone())])
            }
        })
    })
}

pub(super) fn accepts_post(facts: &Facts<'_>) -> Verdict {
    of(&facts.page.made_up_token, |answer| {
        let with = [("status", answer.status.to_string()), ("seconds", format!("{:.1}", answer.took.as_secs_f64()))];
        if answer.status >= 500 {
            fail("broken", with)
        } else if matches!(answer.status, 404 | 405) {
            missing("none", with)
        } else if answer.took > PAGE_TIMEOUT {
            fail("slow", with)
        } else {
            pass("ok", with)
        }
    })
}

pub(super) fn bad_token_is_kind(facts: &Facts<'_>) -> Verdict {
    of(&facts.page.made_up_token, |answer| {
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
pub(super) fn leads(page: &str) -> impl Iterator<Item = String> {
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
        leads(&answer.body).any(|to| {
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
        let lacking: Vec<_> = wanted.iter().filter(|(_, is_there)| !is_there).map(|(name, _)| *name).collect();
        if lacking.is_empty() { pass("ok", []) } else { fail("lacking", [("headers", listed(lacking))]) }
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
    of(&facts.page.form, |answer| {
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
    use crate::testing::{Case, blind, table};

    #[test]
    fn the_address_must_be_what_the_catalog_takes_and_its_certificate_good_for_14_days() {
        table(
            "page.https",
            &[
                Case::pass("ok", |_| {}),
                Case::fail("unfit", |facts| facts.page.address = Ok("http://a.example.com/register".parse().unwrap())),
                Case::fail("unfit", |facts| facts.page.address = Ok("https://a.example.com:8443/r".parse().unwrap())),
                Case::fail("unfit", |facts| facts.page.address = Ok("https://a.example.com/r?x=1".parse().unwrap())),
                Case::fail("unfit", |facts| facts.page.address = Ok("https://a.example.com/r#x".parse().unwrap())),
                Case::fail("unfit", |facts| facts.page.address = Ok("https://203.0.113.7/r".parse().unwrap())),
                Case::fail("unfit", |facts| facts.page.address = Ok("https://a.example.com/%20".parse().unwrap())),
                Case::fail("unfit", |facts| facts.page.address = Ok("https://me@a.example.com/r".parse().unwrap())),
                Case::fail("certificate", |facts| {
                    let until = facts.now + SignedDuration::from_hours(14 * 24 - 1);
                    facts.page.certificate = Ok(CertificateSeen::Until(until));
                }),
                Case::pass("ok", |facts| {
                    let until = facts.now + SignedDuration::from_hours(14 * 24);
                    facts.page.certificate = Ok(CertificateSeen::Until(until));
                }),
                Case::fail("untrusted", |facts| {
                    let reason = "certificate not valid for name".to_owned();
                    facts.page.certificate = Ok(CertificateSeen::NotTrusted { reason });
                }),
                Case::blind(|facts| facts.page.certificate = Err(blind())),
                Case::blind(|facts| facts.page.address = Err(blind())),
            ],
        );
    }

    #[test]
    fn a_made_up_token_is_answered_in_time_and_without_a_servers_error() {
        table(
            "page.accepts_post",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| facts.page.made_up_token.as_mut().unwrap().status = 400),
                Case::fail("broken", |facts| facts.page.made_up_token.as_mut().unwrap().status = 502),
                Case::missing("none", |facts| facts.page.made_up_token.as_mut().unwrap().status = 404),
                Case::missing("none", |facts| facts.page.made_up_token.as_mut().unwrap().status = 405),
                Case::fail("slow", |facts| {
                    facts.page.made_up_token.as_mut().unwrap().took = Duration::from_millis(10_001);
                }),
                Case::blind(|facts| facts.page.made_up_token = Err(blind())),
            ],
        );
    }

    #[test]
    fn the_answer_to_a_made_up_token_is_for_people() {
        fn say(facts: &mut Facts<'_>, text: &str) {
            facts.page.made_up_token.as_mut().unwrap().body = text.to_owned();
        }
        table(
            "page.bad_token_is_kind",
            &[
                Case::pass("ok", |_| {}),
                Case::pass("ok", |facts| say(facts, "Please try again or write to support@example.com")),
                Case::fail("trace", |facts| say(facts, "Internal Server Error. Try again: support@example.com")),
                Case::fail("trace", |facts| say(facts, "Error: no\n    at index.js:1 support@example.com")),
                // The text of the registration page if a token identifies no product.
                Case::pass("ok", |facts| {
                    say(
                        facts,
                        "Choose Set up your account again. Questions? Contact the seller you bought from, at AWS Marketplace",
                    );
                }),
                Case::unsure("accepted", |facts| facts.page.made_up_token.as_mut().unwrap().status = 303),
                Case::fail("no_advice", |facts| say(facts, "No. AWS Marketplace support@example.com")),
                Case::fail("no_support", |facts| say(facts, "Please try again.")),
                Case::blind(|facts| facts.page.made_up_token = Err(blind())),
            ],
        );
    }

    #[test]
    fn the_form_offers_what_aws_asks_of_a_registration_page() {
        fn say(facts: &mut Facts<'_>, text: &str) {
            facts.page.form.as_mut().unwrap().body = text.to_owned();
        }
        fn nothing(facts: &mut Facts<'_>) {
            say(facts, "<!doctype html><html lang=\"ja\"><input type=\"text\"></html>");
        }
        for id in ["page.email_field", "page.support_contact", "page.english", "page.existing_account_link"] {
            table(
                id,
                &[
                    Case::pass("ok", |_| {}),
                    Case::fail("none", nothing),
                    Case::missing("no_form", |facts| facts.page.form.as_mut().unwrap().status = 404),
                    Case::blind(|facts| facts.page.form = Err(blind())),
                ],
            );
        }
        table(
            "page.email_field",
            &[
                Case::pass("ok", |facts| say(facts, "<INPUT id=e TYPE='email'>")),
                Case::fail("none", |facts| say(facts, "<input type=\"hidden\" name=\"email\">")),
            ],
        );
        table(
            "page.english",
            &[
                Case::pass("ok", |facts| {
                    say(facts, "<html lang=\"ja\"><a hreflang=\"en\" href=\"?lang=en\">English</a>")
                }),
                // A `lang` attribute of another element offers no language.
                Case::fail("none", |facts| say(facts, "<html lang=\"ja\"><header class=\"a\" lang=\"en\"></header>")),
            ],
        );
        table("page.support_contact", &[Case::pass("ok", |facts| say(facts, "https://www.example.com/support"))]);
        table(
            "page.existing_account_link",
            &[
                Case::pass("ok", |facts| {
                    say(facts, "<button class='b' name='account'>I already have an account</button>")
                }),
                Case::pass("ok", |facts| say(facts, "<A HREF='/sign-in'><img alt=''></A>")),
                Case::pass("ok", |facts| say(facts, "<a href=\"/x\"><span>サインイン</span></a>")),
                Case::pass("ok", |facts| say(facts, "<input type=\"submit\" value=\"Log in\">")),
                // Text about signing in is no link to it.
                Case::fail("none", |facts| {
                    say(facts, "<p>Or sign in.</p><a href=\"/\">Home</a> Login Manager <article>login</article>")
                }),
            ],
        );
    }

    #[test]
    fn the_form_cannot_be_framed_cached_or_read_on_the_way() {
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
                Case::fail("lacking", |facts| without(facts, "content-security-policy")),
                Case::fail("lacking", |facts| without(facts, "strict-transport-security")),
                Case::fail("lacking", |facts| without(facts, "cache-control")),
                Case::fail("lacking", |facts| with(facts, "strict-transport-security", "max-age=0")),
                Case::fail("lacking", |facts| with(facts, "content-security-policy", "frame-ancestors *")),
                Case::pass("ok", |facts| {
                    with(facts, "content-security-policy", "default-src 'self'");
                    with(facts, "x-frame-options", "DENY");
                }),
                Case::missing("no_form", |facts| facts.page.form.as_mut().unwrap().status = 500),
                Case::blind(|facts| facts.page.form = Err(blind())),
            ],
        );
    }
}
