//! Selecting a stack, the errors if none answers, and the completions.

use std::io::Write;
use std::process::{Command, Stdio};

use local_aws::Service;
use serde_json::json;

use crate::fixture::{CommandOutput, World, run, typed};

#[tokio::test]
async fn a_stack_is_found_by_its_stage_or_its_name_or_its_api_by_its_address() {
    let world = World::new().await;
    let bought = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let aws = world.sandbox.aws_url();
    let named = ["licenses", "--stage", "production", "--stack-name", "stallkeeper-staging", "--endpoint-url", aws];
    assert!(typed(named.iter()).await.text().contains(&bought.license));
    let addressed =
        ["licenses", "--stage", "staging", "--api-url", world.sandbox.url(), "--endpoint-url", "http://127.0.0.1:9"];
    assert!(typed(addressed.iter()).await.text().contains(&bought.license), "nobody asked CloudFormation");
    let listings = world.run(&["listing", "show"]).await.text();
    assert!(listings.contains("4democontract0000000000ab"), "{listings}");
}

#[tokio::test]
async fn a_stack_that_does_not_answer_is_reported_with_the_next_step() {
    let world = World::new().await;
    let aws = world.sandbox.aws_url();
    for command in [
        &["licenses"][..],
        &["licenses", "show", "l-1"],
        &["usage", "pending"],
        &["usage", "requeue", "l-1@2026-11-10T09@requests"],
        &["events", "replay", "l-1"],
    ] {
        let production = ["--stage", "production", "--endpoint-url", aws];
        let error = typed(command.iter().chain(&production)).await.error();
        let not_there =
            "there is no stack stallkeeper-production in us-east-1 in this account. Check that it is deployed";
        assert!(error.contains(not_there) && error.contains("--stack-name") && !error.contains("{"), "{error}");
        let nobody = ["--stage", "staging", "--endpoint-url", aws, "--api-url", "http://127.0.0.1:9"];
        let said = typed(command.iter().chain(&nobody)).await;
        assert!(!said.done, "{said:?}");
        let all = [said.out, said.err].concat();
        assert!(all.contains("does not answer") && all.contains("Check its URL"), "{all}");
    }
    // The URL of another service.
    let other = ["licenses", "--stage", "staging", "--endpoint-url", aws, "--api-url", aws];
    let error = typed(other.iter()).await.error();
    assert!(error.contains("Check that the URL is that of a stack's API"), "{error}");
    world.fault("cloudformation", "DescribeStacks", "access_denied", 10).await;
    let denied = world.run(&["dlq", "show"]).await.error();
    assert!(
        denied.contains("(stallkeeper-staging in us-east-1): AccessDenied: ")
            && denied.contains("cloudformation:DescribeStacks"),
        "{denied}"
    );
}

#[tokio::test]
async fn missing_credentials_and_unanswered_calls_are_reported_in_one_line() {
    let api = ["licenses", "--api-url", "http://127.0.0.1:9"];
    let table = ["listing", "show", "--table", "any"];
    for command in [&["readiness"][..], &["dlq", "show"], &["listing", "show"], &["licenses", "reconcile", "--all"]] {
        let silent = around(command, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), KEY[0], KEY[1]]).await.error();
        assert!(silent.contains("error: http://127.0.0.1:9 (AWS_ENDPOINT_URL) does not answer ("), "{silent}");
        let given = around(&[command, &["--endpoint-url", "http://127.0.0.1:9"]].concat(), &KEY).await.error();
        assert!(given.contains("http://127.0.0.1:9 (--endpoint-url) does not answer ("), "{given}");
    }
    for command in [&["readiness"][..], &["dlq", "show"], &["licenses", "reconcile", "--all"], &api, &table] {
        let nobody = around(command, &[]).await.error();
        assert!(nobody.starts_with("error: there are no credentials (no credentials found in chain): "), "{nobody}");
        assert!(nobody.contains("AWS_PROFILE") && nobody.lines().count() == 1, "{nobody}");
    }
    let nobody = around(&["doctor"], &[]).await;
    assert!(nobody.out.contains("credentials     there are no credentials ("), "{nobody:?}");
    assert!(nobody.out.contains("To fix credentials: sign in"), "{nobody:?}");
    let silent = around(&["doctor"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), KEY[0], KEY[1]]).await;
    assert!(silent.out.contains("http://127.0.0.1:9 (AWS_ENDPOINT_URL) does not answer"), "{silent:?}");
    assert!(silent.out.contains("fix AWS_ENDPOINT_URL") && !silent.out.contains("sign in"), "{silent:?}");
}

#[tokio::test]
async fn the_typed_endpoint_overrides_all_others() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, "[default]\nendpoint_url = http://127.0.0.1:9\n").unwrap();
    let profile = ("AWS_CONFIG_FILE", config.to_str().unwrap());
    for elsewhere in [profile, ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")] {
        for command in [&["listing", "show"][..], &["licenses"], &["dlq", "show"], &["doctor"]] {
            let typed = [command, &["--endpoint-url", world.sandbox.aws_url()]].concat();
            around(&typed, &[elsewhere, KEY[0], KEY[1]]).await.text();
        }
        let nothing = ["listing", "show", "--endpoint-url", "http://127.0.0.1:7"];
        let given = around(&nothing, &[elsewhere, KEY[0], KEY[1]]).await.error();
        assert!(given.contains("http://127.0.0.1:7 (--endpoint-url) does not answer ("), "{given}");
    }
}

/// Any credentials.
const KEY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")];

/// Runs a command on the staging stack, with an environment of only these variables.
async fn around(arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nowhere");
    command.envs(variables.iter().copied()).args(arguments).args(["--stage", "staging"]);
    run(command).await
}

#[tokio::test]
async fn a_request_to_the_api_is_repeated_while_it_is_unavailable() {
    let world = World::new().await;
    world.buy("demo-contract", json!({ "seats": 5 })).await;
    // All attempts of the function at the table fail, and the API answers 503 once.
    world.fault("dynamodb", "Query", "error500", 3).await;
    let said = world.run(&["licenses"]).await;
    assert!(said.done, "{said:?}");
    let reads = world.sandbox.aws().wire().calls(Service::DynamoDb, "Query");
    assert_eq!(reads.iter().filter(|read| read.status == Some(500)).count(), 3);
}

#[tokio::test]
async fn operators_sign_in_with_their_profile() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let key = r#"{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "any"}"#;
    let profiles = format!(
        "[profile process]\ncredential_process = printf '%s' '{key}'\n\n\
         [profile center]\nsso_session = center\nsso_account_id = 111122223333\nsso_role_name = Operator\n\n\
         [sso-session center]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n\n\
         [profile console]\nlogin_session = arn:aws:iam::111122223333:user/operator\n"
    );
    std::fs::write(&config, profiles).unwrap();
    let doctor = async |profile: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
        command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder.path());
        command.env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", profile).env("PATH", std::env::var("PATH").unwrap());
        command.args(["doctor", "--stage", "staging", "--endpoint-url", world.sandbox.aws_url()]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let said = doctor("process").await;
    assert!(said.contains("user/AKIAPROCESS"), "{said}");
    // No user has signed in, and nothing else is wrong with the profile.
    for profile in ["center", "console"] {
        let said = doctor(profile).await;
        assert!(said.contains("To fix credentials") && !said.contains("feature"), "{said}");
    }
}

#[tokio::test]
async fn slow_operations_show_their_duration() {
    let world = World::new().await;
    // The command reads the catalog again after 5 seconds: for the product, for its offers, for one of them.
    for (operation, call) in [("DescribeEntity", 1), ("ListEntities", 1), ("DescribeEntity", 3)] {
        let silent = json!({ "service": "catalog", "operation": operation, "call": call, "kind": "hang" });
        world.control("/sandbox/faults", silent).await;
    }
    let slow = json!({ "service": "lambda", "operation": "Invoke", "kind": "before", "delay_ms": 11_500 });
    world.control("/sandbox/faults", slow).await;
    let (planned, reconciled) = tokio::join!(
        world.run(&["listing", "plan", "--product", "6democonsumption0000000ab"]),
        world.run(&["licenses", "reconcile", "--all"]),
    );
    assert!(planned.err.contains("Reading AWS Marketplace's catalog (for 10 s)"), "{planned:?}");
    planned.text();
    assert!(reconciled.err.contains("Run 1 of the reconciliation (for 10 s)"), "{reconciled:?}");
    assert!(reconciled.error().contains("Lambda does not answer"));
}

#[tokio::test]
async fn completions_are_scripts_of_the_shells() {
    let script = typed(["completions", "bash"].iter()).await.text();
    assert!(script.contains("stallkeeper__licenses") || script.contains("licenses"), "no command in it");
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    for shell in ["zsh", "fish"] {
        let script = typed(["completions", shell].iter()).await.text();
        assert!(script.contains("stallkeeper") && script.contains("redrive"), "{shell}");
    }
    let unknown = typed(["completions", "strange"].iter()).await.error();
    assert!(unknown.contains("possible values: bash"), "{unknown}");
}
