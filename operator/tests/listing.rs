//! The command `stallkeeper listing` as an operator types it, on a sandbox.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails the test; clippy knows test functions, but not what they share"
)]

use std::process::{Command, Output, Stdio};

use domain::listing::Stage;
use sandbox::{Listings, Options, Sandbox};

const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../listings/demo-contract.toml");

const LEGACY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../listings/demo-legacy.toml");

const CONSUMPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../listings/demo-consumption.toml");

/// Starts a stack that has one listing, and returns the folder of the listing, too.
async fn a_stack() -> (Sandbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(LEGACY, folder.path().join("legacy.toml")).unwrap();
    let options = Options { listings: Listings::Folder(folder.path().to_owned()), ..Options::default() };
    (Sandbox::start(options).await.unwrap(), folder)
}

async fn stallkeeper(arguments: Vec<String>) -> Output {
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
        command.envs([("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")]);
        command.args(arguments).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Runs `stallkeeper listing`. Returns `true` if it succeeded, and its output.
async fn listing(sandbox: &Sandbox, arguments: &[&str]) -> (bool, String) {
    let table = sandbox.table(Stage::Staging).unwrap();
    let at = ["--stage", "staging", "--endpoint-url", sandbox.aws_url(), "--table", table];
    let output = stallkeeper(["listing"].iter().chain(arguments).chain(&at).map(ToString::to_string).collect()).await;
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_described_listing_is_loaded_once_and_shown() {
    let (sandbox, folder) = a_stack().await;
    let (done, said) = listing(&sandbox, &["show"]).await;
    assert!(done && said.contains("\n7demolegacy00000000000ab  ") && said.lines().count() == 2, "{said}");
    let (done, said) = listing(&sandbox, &["push", CONTRACT]).await;
    assert!(done && said.contains("\nadded "), "{said}");
    let (done, said) = listing(&sandbox, &["push", CONTRACT]).await;
    assert!(done && said.contains("\nunchanged "), "{said}");

    let renamed = folder.path().join("renamed.toml");
    let text = std::fs::read_to_string(CONTRACT).unwrap().replacen("name = \"", "name = \"New ", 1);
    std::fs::write(&renamed, text).unwrap();
    let (done, said) = listing(&sandbox, &["push", renamed.to_str().unwrap(), "--json"]).await;
    assert!(done && said.contains("\"status\": \"changed\""), "{said}");
    let (done, said) = listing(&sandbox, &["show"]).await;
    assert!(done && said.contains("4democontract0000000000ab") && said.contains("New "), "{said}");
}

#[tokio::test]
async fn nothing_is_loaded_if_a_file_is_invalid_or_of_another_stage() {
    let (sandbox, folder) = a_stack().await;
    let wrong = folder.path().join("wrong.toml");
    let text = std::fs::read_to_string(CONTRACT).unwrap().replacen("stage = ", "stages = ", 1);
    std::fs::write(&wrong, text).unwrap();
    let (done, said) = listing(&sandbox, &["push", CONTRACT, wrong.to_str().unwrap()]).await;
    assert!(!done && said.contains("wrong.toml") && said.contains("stages"), "{said}");
    let production = CONTRACT.replace("demo-contract", "demo-production");
    let (done, said) = listing(&sandbox, &["push", CONTRACT, &production]).await;
    assert!(!done && said.contains("for production, not for staging"), "{said}");
    let (done, said) = listing(&sandbox, &["push", CONTRACT, CONTRACT]).await;
    assert!(!done && said.contains("describe the same product"), "{said}");
    let (done, said) = listing(&sandbox, &["show"]).await;
    assert!(done && said.lines().count() == 2, "{said}");
}

#[tokio::test]
async fn files_are_checked_without_a_stack() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.toml");
    let text = std::fs::read_to_string(CONTRACT).unwrap();
    std::fs::write(&wrong, text.replacen("\"users\"", "\"users of the whole product\"", 1)).unwrap();
    let wrong = wrong.to_str().unwrap();
    let check = async |arguments: &[&str]| {
        let output = stallkeeper(["listing", "check"].iter().chain(arguments).map(ToString::to_string).collect()).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, said, complaint) = check(&[CONTRACT, LEGACY]).await;
    assert!(done && said.lines().count() == 2 && said.contains("is valid, for staging."), "{said}{complaint}");
    let (done, said, complaint) = check(&[CONTRACT, wrong]).await;
    let problem = "`unit` of dimension `seats` must have 1 to 20 characters";
    assert!(
        !done && said.is_empty() && complaint.contains(&format!("{wrong}: line 12: {problem}")),
        "{said}{complaint}"
    );

    // The JSON names each file, and the command fails nevertheless.
    let (done, said, complaint) = check(&[CONTRACT, wrong, "--json"]).await;
    let checked: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(!done && complaint.contains(problem), "{complaint}");
    assert_eq!(
        (&checked[0]["product_code"], &checked[0]["stage"]),
        (&"4democontract0000000000ab".into(), &"staging".into())
    );
    assert_eq!(
        (&checked[1]["file"], &checked[1]["line"], &checked[1]["problem"]),
        (&wrong.into(), &12.into(), &problem.into())
    );
    assert!(check(&["nowhere.toml"]).await.2.contains("nowhere.toml cannot be read"));
}

#[tokio::test]
async fn listings_are_shown_as_json_and_a_stack_without_listings_is_reported() {
    let (sandbox, _folder) = a_stack().await;
    let (done, said) = listing(&sandbox, &["show", "--json"]).await;
    let listings: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(done && listings.as_array().unwrap().len() == 1, "{said}");
    assert_eq!(
        (&listings[0]["product_code"], &listings[0]["mode"]),
        (&"7demolegacy00000000000ab".into(), &"customer".into())
    );
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(CONTRACT.replace("contract", "production"), elsewhere.path().join("production.toml")).unwrap();
    let options = Options { listings: Listings::Folder(elsewhere.path().to_owned()), ..Options::default() };
    let empty = Sandbox::start(options).await.unwrap();
    let (done, said) = listing(&empty, &["show"]).await;
    assert!(done && said.contains("The stack has no listing. Load one with `stallkeeper listing push`."), "{said}");
    assert_eq!(listing(&empty, &["show", "--json"]).await, (true, "[]\n".to_owned()));
}

#[tokio::test]
async fn a_closed_output_ends_the_command_without_a_message() {
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
        command.args(["listing", "check", CONTRACT, LEGACY]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut checking = command.spawn().unwrap();
        drop(checking.stdout.take());
        checking.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
}

#[tokio::test]
async fn the_sheet_has_every_field_of_the_portal() {
    let (sandbox, _folder) = a_stack().await;
    let sheet = async |arguments: &[&str]| {
        let at = ["--stage", "staging", "--endpoint-url", sandbox.aws_url()];
        let arguments = ["listing", "sheet"].iter().chain(arguments).chain(&at).map(ToString::to_string).collect();
        let output = stallkeeper(arguments).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let registration = sandbox::products::fulfillment_url(Stage::Staging);
    let (done, said, complaint) = sheet(&[CONSUMPTION]).await;
    assert!(done && complaint.is_empty(), "{complaint}");
    for wanted in [
        format!("Fulfillment URL:\n{registration}\n"),
        "Pricing model:\nSaaS contracts with consumption\n".to_owned(),
        "111122223301\n111122223302\n".to_owned(),
        "License agreement:\nAWS Marketplace's standard contract\n".to_owned(),
        "events_included  12 months      0.01\n".to_owned(),
        "events_extra     one unit used  0.01\n".to_owned(),
    ] {
        assert!(said.contains(&wanted), "{wanted} is not in {said}");
    }
    let (done, said, _) = sheet(&[CONSUMPTION, "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(
        done && json[0]["prices"][0]["months"] == 12 && json[0]["dimensions"][1]["key"] == "events_extra",
        "{json}"
    );

    // The command names what is not described, and prints the rest.
    let (done, said, complaint) = sheet(&[CONTRACT]).await;
    assert!(done && said.contains("SaaS contracts\n") && complaint.contains("Add [catalog]"), "{said}{complaint}");
    let production = CONTRACT.replace("demo-contract", "demo-production");
    let (done, said, complaint) = sheet(&[&production]).await;
    assert!(!done && said.is_empty() && complaint.contains("for production, not for staging"), "{complaint}");
}

#[tokio::test]
async fn the_catalog_part_is_stored_with_the_listing() {
    let (sandbox, _folder) = a_stack().await;
    let (done, said) = listing(&sandbox, &["push", CONSUMPTION]).await;
    assert!(done && said.contains("\nadded "), "{said}");
    let (done, said) = listing(&sandbox, &["push", CONSUMPTION]).await;
    assert!(done && said.contains("\nunchanged "), "{said}");
}
