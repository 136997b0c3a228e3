//! `stallkeeper readiness` and `stallkeeper attest`.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::fixture::{World, typed};

#[tokio::test]
async fn only_attestable_checks_are_attested() {
    // The command refuses without any request.
    let nowhere = ["--stage", "staging", "--endpoint-url", "http://127.0.0.1:9"];
    for (check, why) in [
        ("page.https", "cannot be attested"),
        ("page.strange", "is not a check"),
        ("production.final_review_requested", "belongs to another stage, so the reports of staging do not have it"),
    ] {
        let error = typed(["attest", check, "--note", "I saw it"].iter().chain(&nowhere)).await.error();
        assert!(error.contains(why), "{error}");
        assert!(error.contains("\n  app.no_payment_data") && error.contains("No payment data is collected"), "{error}");
        assert!(!error.contains("\n  page.") && !error.contains("\n  production."), "{error}");
    }
    for nothing in ["…", "...", " - "] {
        let error = typed(["attest", "app.no_payment_data", "--note", nothing].iter().chain(&nowhere)).await.error();
        assert!(error.contains("--note must describe what you checked"), "{error}");
    }
    let silent = typed(["attest", "app.no_payment_data"].iter().chain(&nowhere)).await.error();
    assert!(silent.contains("--note"), "{silent}");
}

const CONTRACT: &str = "4democontract0000000000ab";

/// Returns the outcome of a check in the JSON report.
fn outcome(report: &Value, check: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let finding = checks.iter().find(|finding| finding["check"] == check).unwrap();
    finding["outcome"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_report_is_printed_as_text_and_json_and_written_as_a_page() {
    let world = World::of_one_listing().await;
    let none = world.run(&["readiness"]).await.error();
    assert!(none.contains("there is no report on"), "{none}");

    // The advice is a command that can be typed as it is.
    let (_, refresh) = none.trim_end().split_once("Check now: stallkeeper ").unwrap();
    let shown = typed(refresh.split(' ')).await.text();
    assert!(shown.contains(CONTRACT) && shown.contains("of 7 steps done") && shown.contains("[seller."), "{shown}");
    assert!(!shown.contains('\x1b'), "no colour where no terminal is");
    let every = world.run(&["readiness", "--all", "--language", "ja"]).await.text();
    assert!(every.contains("7 手順中") && every.contains("[page.https]"), "{every}");
    assert!(every.lines().count() > shown.lines().count());
    let report = world.run(&["readiness", "--json"]).await.json();
    assert_eq!((&report["product"], &report["stage"]), (&json!(CONTRACT), &json!("staging")));

    let folder = tempfile::tempdir().unwrap();
    for (language, says) in [("en", "of 7 steps done"), ("ja", "7 手順中")] {
        let file = folder.path().join(format!("report-{language}.html"));
        let name = file.to_str().unwrap();
        let said = world.run(&["readiness", "--html", name, "--language", language]).await.text();
        assert!(said.contains(name), "{said}");
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(
            page.starts_with(&format!("<!doctype html>\n<html lang=\"{language}\">")) && page.contains(says),
            "{page}"
        );
        assert!(page.trim_end().ends_with("</html>"), "it is whole");
    }

    let required = world.run(&["readiness", "--require-done"]).await;
    assert!(required.out.contains("of 7 steps done"), "the report is shown all the same: {required:?}");
    assert!(required.error().contains("of 7 steps are done"));
}

#[tokio::test]
async fn a_listing_must_be_selected_if_the_stack_has_several() {
    let world = World::new().await;
    world.run(&["readiness", "--product", CONTRACT, "--refresh"]).await.text();
    for command in
        [&["readiness"][..], &["readiness", "--refresh"], &["attest", "app.no_payment_data", "--note", "Checked."]]
    {
        let several = world.run(command).await.error();
        for part in
            ["Select one with --product", CONTRACT, "Demo Contract\n", "5demosubscription000000ab  no report yet"]
        {
            assert!(several.contains(part), "{part}: {several}");
        }
    }
    let attest = ["attest", "app.no_payment_data", "--product", "5demosubscription000000ab"];
    let attested = world.run(&[&attest[..], &["--note", "Checked.", "--json"]].concat()).await.json();
    assert_eq!(attested["note"], "Checked.");
    let withdrawn = world.run(&[&attest[..], &["--withdraw", "--json"]].concat()).await.json();
    assert_eq!((&withdrawn["product"], &withdrawn["attested"]), (&json!("5demosubscription000000ab"), &json!(false)));
    for command in [&["readiness"][..], &["attest", "app.no_payment_data", "--note", "Checked."]] {
        for product in ["strange", "prod-strange"] {
            let strange = world.run(&[command, &["--product", product]].concat()).await.error();
            assert!(strange.contains(&format!("the stack has no listing of {product}. It has:\n  ")), "{strange}");
            assert!(strange.contains(&format!("{CONTRACT}  Demo Contract\n")), "{strange}");
        }
    }
    let report = world.run(&["readiness", "--product", "prod-democontract01", "--json"]).await.json();
    assert_eq!(report["product"], CONTRACT);
}

#[tokio::test]
async fn watch_prints_the_changes() {
    let world = World::of_one_listing().await;
    let mut watching = tokio::process::Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
    watching.args(["readiness", "--refresh", "--watch", "--every", "10", "--stage", "staging"]);
    watching.args(["--endpoint-url", world.sandbox.aws_url()]);
    watching.envs([("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")]);
    let mut watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut progress = BufReader::new(watching.stderr.take().unwrap()).lines();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    while !progress.next_line().await.unwrap().unwrap().contains("Checking every 10 s. Press Ctrl-C to stop.") {}
    let logo = json!({ "PromotionalResources": { "LogoUrl": null } });
    let entity = "/sandbox/catalog/prod-democontract01";
    world.client.control(reqwest::Method::PATCH, entity, logo).await.unwrap();
    let change = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.contains(" UTC  ") {
            break line;
        }
    };
    assert!(change.contains("The product has a logo: Passes → To do"), "{change}");
    let often = world.run(&["readiness", "--watch", "--every", "3"]).await.error();
    assert!(often.contains("at least 10 seconds"), "{often}");
}

#[tokio::test]
async fn an_attestation_is_in_the_next_report_until_it_is_withdrawn() {
    // Also before the first audit run of the listing.
    let world = World::of_one_listing().await;
    let refresh = ["readiness", "--refresh", "--json"];
    let attest = ["attest", "app.no_payment_data", "--note", "Checked every form."];
    let said = world.run(&attest).await.text();
    assert!(said.contains("is attested by arn:aws:") && said.contains(" until 20"), "{said}");
    let next = "\nThe next audit run reports it: stallkeeper readiness --refresh --stage staging ";
    assert!(said.contains(next) && said.contains(&format!(" --product {CONTRACT}")), "{said}");
    let report = world.run(&refresh).await.json();
    assert_eq!(outcome(&report, "app.no_payment_data"), "attested");
    let shown = world.run(&["readiness", "--all"]).await.text();
    assert!(shown.contains("“Checked every form.”"), "{shown}");

    let withdraw = ["attest", "app.no_payment_data", "--withdraw"];
    let said = world.run(&withdraw).await.text();
    assert!(said.contains("The attestation of app.no_payment_data") && said.contains(next), "{said}");
    assert_eq!(outcome(&world.run(&refresh).await.json(), "app.no_payment_data"), "unknown");
    assert!(world.run(&withdraw).await.error().contains("attestation_unknown"));
}
