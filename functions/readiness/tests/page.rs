//! The report as a page and as text, of listings in every state.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails the test; clippy knows test functions, but not what they share"
)]

#[path = "../examples/report/reports.rs"]
mod reports;

use domain::language::Language;
use readiness::{html, text};
use readiness_checks::{Report, Sign, texts};

/// Every page, without the style that all of them share, and its hash.
fn pages() -> Vec<(&'static str, Report, Language, String)> {
    let mut pages = Vec::new();
    for (name, mut reports) in reports::all() {
        let newest = reports.pop().unwrap();
        for &language in Language::ALL {
            let page = html::page(&newest, &reports, language).unwrap();
            let (head, rest) = page.split_once("<style>").unwrap();
            let (_, body) = rest.split_once("</style>").unwrap();
            let (policy, rest) = head.split_once("sha256-").unwrap();
            let (_, head) = rest.split_once("&#39;").unwrap();
            // The id differs in each run.
            let body = body.replace(&newest.id.to_string(), "…");
            pages.push((name, newest.clone(), language, format!("{policy}sha256-…&#39;{head}…{body}")));
        }
    }
    pages
}

/// Returns a text as it is escaped in a page.
fn escaped(text: &str) -> String {
    let signs = [('&', "&#38;"), ('<', "&#60;"), ('>', "&#62;"), ('"', "&#34;"), ('\'', "&#39;")];
    signs.iter().fold(text.to_owned(), |text, (sign, code)| text.replace(*sign, code))
}

#[test]
fn pages_match_their_snapshots() {
    for (name, _, language, page) in pages() {
        if ["verifying", "public"].contains(&name) {
            insta::assert_snapshot!(format!("{name}-{}", language.tag()), page);
        }
    }
}

#[test]
fn the_summary_comes_first() {
    let summary = |name: &str, language: Language| {
        let (.., page) =
            pages().into_iter().find(|(of, _, in_language, _)| (*of, *in_language) == (name, language)).unwrap();
        let answer = page.split_once("<h1 id=\"answer\">").unwrap().1;
        answer.split_once("<ul class=\"tally\">").unwrap().0.to_owned()
    };
    for (name, english, japanese) in [
        (
            "nothing",
            ["0 of 7 steps done", "Next:", "Register as a seller"],
            ["7 手順中 0 手順が完了", "次の手順:", "出品者として登録する"],
        ),
        ("verifying", ["6 of 7", "Next:", "Verify the integration"], ["7 手順中 6", "次の手順:", "連携を検証する"]),
        ("failing", ["7 of 9", "Fix first:", "Prepare the product"], ["9 手順中 7", "先に直す手順:", "製品を準備する"]),
        (
            "expired-attestations",
            ["4 of 7", "Next:", "Fill in the public profile"],
            ["7 手順中 4", "次の手順:", "公開プロフィールを記入する"],
        ),
        (
            "test-phase-done",
            ["7 of 7", "The test phase is done", "with its own stack"],
            ["7 手順中 7", "テストフェーズは完了", "本番用のスタック"],
        ),
        ("in-review", ["8 of 9", "Waiting for AWS:", "Publication"], ["9 手順中 8", "AWS の対応待ち:", "公開"]),
        (
            "public",
            ["9 of 9", "Every step is done", "all buyers can buy"],
            ["9 手順中 9", "すべての手順が完了", "だれでも"],
        ),
    ] {
        for (language, wanted) in [(Language::English, english), (Language::Japanese, japanese)] {
            let summary = summary(name, language);
            assert!(wanted.iter().all(|part| summary.contains(part)), "{name}: {wanted:?}\n{summary}");
        }
    }
}

#[test]
fn every_check_is_in_the_page_with_its_outcome_and_remediation() {
    for (name, report, language, page) in pages() {
        let texts = texts(language);
        for finding in &report.checks {
            let id = finding.check.replace('.', "-");
            let start = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{name}: no {id}"));
            let entry = page[start..].split("</li>").next().unwrap();
            let mut wanted = vec![
                texts.say(finding.sign().message()),
                texts.say(&finding.message()),
                finding.message.in_language(texts),
                finding.check.clone(),
            ];
            if !finding.outcome.holds() {
                wanted.push(texts.say(&format!("{}.remediation", finding.message())));
            }
            if finding.sign() == Sign::Attested {
                wanted.push(finding.attestation.as_ref().unwrap().note.clone());
            }
            for text in wanted {
                assert!(entry.contains(&escaped(&text)), "{name} {id}: {text}\n{entry}");
            }
        }
        // A missing text would show its id.
        assert!(!page.contains(">report-") && !page.contains(">step-"), "{name}");
        let text = text::table(&report, language);
        assert!(report.checks.iter().all(|finding| text.contains(&format!("[{}]", finding.check))), "{name}");
    }
}

#[test]
fn markup_is_escaped_and_nothing_is_loaded() {
    for (name, _, language, page) in pages() {
        let lower = page.to_lowercase();
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
        assert!(page.contains("default-src &#39;none&#39;; style-src &#39;sha256-"), "{name}");
        for wrong in
            ["<script", "<img", "<link", "<iframe", "src=", "style=", "@import", "url(", "href=\"javascript", "onload"]
        {
            assert!(!lower.replace("&#60;img src=x", "").contains(wrong), "{name}: {wrong}");
        }
        // Links lead to the page itself or to AWS.
        for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let target = link.strip_prefix('#').map(|id| format!("id=\"{id}\""));
            assert!(
                target.map_or(link.starts_with("https://aws.amazon.com/"), |id| page.contains(&id)),
                "{name}: {link}"
            );
        }
    }
}

#[test]
fn an_id_is_unique_in_a_page() {
    for (name, .., page) in pages() {
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{name}: {ids:?}");
    }
}
