//! `stallkeeper licenses …`

use serde_json::{Value, json};

use crate::fixture::World;

#[tokio::test]
async fn licenses_are_listed_and_shown() {
    let world = World::new().await;
    let bought = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let other = world.buy("demo-subscription", json!({})).await;
    assert_eq!(world.client.link(&bought.license, "acme").await.unwrap().0, 200);

    let said = world.run(&["licenses"]).await.text();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("LICENSE "), "{said}");
    let of = lines.iter().find(|line| line.contains(&bought.license)).unwrap();
    assert!(of.contains("active") && of.contains("acme") && of.contains(&bought.account), "{said}");

    let listed = world.run(&["licenses", "--account", &other.account, "--state", "active", "--json"]).await.json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(other.license)));
    let none = world.run(&["licenses", "--state", "ended"]).await.text();
    assert!(none.contains("There is no such license."), "{none}");

    let shown = world.run(&["licenses", "show", &bought.license]).await.text();
    for part in ["state", "active", "acme", "  seats", "5 until "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = world.run(&["licenses", "show", &bought.license, "--json"]).await.json();
    assert_eq!((&shown["id"], &shown["tenant"]), (&json!(bought.license), &json!("acme")));
}

#[tokio::test]
async fn invalid_arguments_are_reported() {
    let world = World::new().await;
    let unknown = world.run(&["licenses", "show", "l-1"]).await.error();
    assert!(unknown.contains("license_unknown"), "{unknown}");
    let account = world.run(&["licenses", "--account", "12"]).await.error();
    assert!(account.contains("account") && account.contains("parameter_invalid"), "{account}");
    let state = world.run(&["licenses", "--state", "strange"]).await.error();
    assert!(state.contains("possible values: pending"), "{state}");
    let nothing = world.run(&["licenses", "reconcile"]).await.error();
    assert!(nothing.contains("<LICENSE|--account <ACCOUNT>|--all>"), "{nothing}");
    let both = world.run(&["licenses", "reconcile", "l-1", "--all"]).await.error();
    assert!(both.contains("cannot be used with"), "{both}");
    let missing = crate::fixture::typed(["licenses"].iter()).await.error();
    assert!(missing.contains("--stage"), "{missing}");
}

/// Buys two licenses, and ends one of them in AWS without an event.
async fn one_lost_its_end(world: &World) -> (String, String, String) {
    let lost = world.buy("demo-contract", json!({ "seats": 5 })).await;
    let other = world.buy("demo-contract", json!({ "seats": 7 })).await;
    world.control("/sandbox/deliver", json!({ "hold": true })).await;
    world.client.change(&lost.agreement, json!({ "action": "end" })).await.unwrap();
    world.control("/sandbox/deliver", json!({ "lose": "detail", "release": true })).await;
    (lost.license, lost.account, other.license)
}

#[tokio::test]
async fn licenses_are_reconciled_one_by_one() {
    let world = World::new().await;
    let (lost, account, other) = one_lost_its_end(&world).await;
    let said = world.run(&["licenses", "reconcile", &other, "l-1"]).await;
    assert!(
        said.out.contains(&other) && said.out.contains("l-1: ") && said.out.contains("license_unknown"),
        "{said:?}"
    );
    assert!(said.error().contains("1 of 2 licenses could not be checked"));

    let said = world.run(&["licenses", "reconcile", "--account", &account]).await.text();
    let line = said.lines().find(|line| line.contains(&lost)).unwrap();
    assert!(line.contains("ended") && !line.contains("active"), "{said}");
    let again = world.run(&["licenses", "reconcile", &lost, "--json"]).await.json();
    assert_eq!((&again[0]["license"]["id"], &again[0]["repairs"]), (&json!(lost), &json!([])));
    let nobody = world.run(&["licenses", "reconcile", "--account", "000000000000"]).await.error();
    assert!(nobody.contains("no license of the account 000000000000"), "{nobody}");
}

#[tokio::test]
async fn all_licenses_are_reconciled_however_often_it_is_repeated() {
    let world = World::new().await;
    let (lost, _, other) = one_lost_its_end(&world).await;
    // The walk of the day has ended before the operator starts a run.
    world.control("/sandbox/reconcile", json!({})).await;
    let (lost_again, ..) = one_lost_its_end(&world).await;
    let said = world.run(&["licenses", "reconcile", "--all"]).await;
    assert!(said.err.contains("run 1 of the reconciliation"), "{said:?}");
    let said = said.text();
    assert!(said.contains("Licenses checked: ") && said.contains("Repairs: ended 1."), "{said}");
    for (license, state) in [(&lost, "ending"), (&lost_again, "ending"), (&other, "active")] {
        let shown = world.run(&["licenses", "show", license, "--json"]).await.json();
        assert_eq!(shown["state"], state);
    }
    let again = world.run(&["licenses", "reconcile", "--all", "--json"]).await.json();
    assert_eq!((&again["licenses"], &again["repairs"], &again["unfinished"]), (&json!(4), &json!({}), &json!(false)));

    world.fault("lambda", "Invoke", "throttle", 2).await;
    let waited = world.run(&["licenses", "reconcile", "--all"]).await;
    assert!(waited.err.contains("Another run is in progress"), "{waited:?}");
    assert!(waited.text().starts_with("Licenses checked: 4."));
    world.fault("dynamodb", "Query", "error500", 1000).await;
    let failed = world.run(&["licenses", "reconcile", "--all"]).await.error();
    assert!(failed.contains("failed") && failed.contains("See its log"), "{failed}");
}

#[tokio::test]
async fn failures_are_retried_in_the_next_run_and_results_are_shown_also_after_an_error() {
    let world = World::new().await;
    let (lost, ..) = one_lost_its_end(&world).await;
    let entitlements = async |times: u32| world.fault("entitlement", "GetEntitlements", "throttle", times).await;
    // All three attempts of one call.
    entitlements(3).await;
    let retried = world.run(&["licenses", "reconcile", "--all", "--json"]).await;
    assert!(retried.err.contains("run 2 of the reconciliation") && !retried.err.contains("run 3"), "{retried:?}");
    let retried = retried.json();
    assert_eq!((&retried["failures"], &retried["repairs"]), (&json!(0), &json!({ "ended": 1 })), "{retried}");
    assert_eq!(world.run(&["licenses", "show", &lost, "--json"]).await.json()["state"], "ending");

    entitlements(1000).await;
    let failed = world.run(&["licenses", "reconcile", "--all"]).await;
    assert!(failed.out.starts_with("Licenses checked: 1."), "{failed:?}");
    assert!(failed.err.contains("run 2 ") && !failed.err.contains("run 3 "), "{failed:?}");
    assert!(failed.error().contains("error: licenses that could not be checked: 1"));

    world.client.control(reqwest::Method::DELETE, "/sandbox/faults", Value::Null).await.unwrap();
    world.run(&["licenses", "reconcile", "--all"]).await.text();
    entitlements(3).await;
    let second = json!({ "service": "lambda", "operation": "Invoke", "call": 2, "times": 1, "kind": "access_denied" });
    world.control("/sandbox/faults", second).await;
    let denied = world.run(&["licenses", "reconcile", "--all", "--json"]).await;
    let printed: Value = serde_json::from_str(&denied.out).unwrap();
    assert_eq!((&printed["licenses"], &printed["failures"]), (&json!(1), &json!(1)), "{printed}");
    assert!(denied.error().contains("lambda:InvokeFunction"));
}

#[tokio::test]
async fn a_file_of_customers_is_imported_and_its_lines_are_reported() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let header = "product,tenant,customer_identifier";
    let good = "7demolegacy00000000000ab,acme,X01EXAMPLEX";
    let both = file("both.csv", &format!("{header}\n{good}\nunknown,acme,X02EXAMPLEX\n"));

    let would = world.run(&["licenses", "import", &both, "--dry-run"]).await;
    assert!(would.out.contains("Rows that would be imported: 1, unchanged: 0, refused: 1."), "{would:?}");
    assert!(would.out.contains("product_unknown"), "{would:?}");
    assert!(would.error().contains("1 rows were refused"));
    assert!(world.run(&["licenses"]).await.text().contains("There is no such license."), "nothing was written");
    let done = world.run(&["licenses", "import", &file("good.csv", &format!("{header}\n{good}\n"))]).await.text();
    assert!(done.contains("Rows imported: 1, unchanged: 0, refused: 0."), "{done}");
    assert!(done.contains("7demolegacy00000000000ab~X01EXAMPLEX"), "{done}");

    // More rows than a request takes.
    let rows: Vec<String> = (0..201).map(|row| format!("unknown,acme,X{row}EXAMPLEX")).collect();
    let long = file("long.csv", &format!("{header}\n{}\n{good}\n", rows.join("\n")));
    let said = world.run(&["licenses", "import", &long, "--json"]).await;
    let imported: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&imported["refused"], &imported["unchanged"]), (&json!(201), &json!(1)));
    let lines: Vec<u64> =
        imported["results"].as_array().unwrap().iter().map(|result| result["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (2..=203).collect::<Vec<u64>>());

    for (name, text, wrong) in [
        ("none.csv", "product,tenant\n", "no row below the header"),
        ("quote.csv", "product,tenant\n\"p,t\n", "line 2: a quoted field is not closed"),
        ("column.csv", "product,strange,tenant\np,x,t\n", "strange"),
    ] {
        let error = world.run(&["licenses", "import", &file(name, text)]).await.error();
        assert!(error.contains(wrong), "{name}: {error}");
    }
    let missing = world.run(&["licenses", "import", "nowhere.csv"]).await.error();
    assert!(missing.contains("nowhere.csv cannot be read"), "{missing}");
}

#[tokio::test]
async fn a_stopped_import_reports_its_rows_and_importing_the_file_again_completes_it() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customers.csv").to_str().unwrap().to_owned();
    let rows: Vec<String> = (0..410).map(|row| format!("7demolegacy00000000000ab,t{row},X{row}EXAMPLEX")).collect();
    std::fs::write(&file, format!("product,tenant,customer_identifier\n{}\n", rows.join("\n"))).unwrap();
    let fails_from_call = async |call: u32, kind: &str, times: u32| {
        let operation = "TransactWriteItems";
        let fault =
            json!({ "service": "dynamodb", "operation": operation, "call": call, "times": times, "kind": kind });
        world.control("/sandbox/faults", fault).await;
    };
    let counts = |imported: &Value| {
        ["imported", "unchanged", "refused", "unconfirmed", "not_imported"]
            .map(|count| imported[count].as_u64().unwrap_or_default())
    };

    // The function dies in the second of three requests, after it has imported four rows more.
    fails_from_call(205, "crash_before", 1).await;
    let broken = world.run(&["licenses", "import", &file, "--json"]).await;
    let imported: Value = serde_json::from_str(&broken.out).unwrap();
    assert_eq!(counts(&imported), [200, 0, 0, 200, 10], "{}", broken.err);
    for (row, line, status) in [(0, 2, "imported"), (200, 202, "unanswered"), (409, 411, "not_imported")] {
        let result = &imported["results"][row];
        assert_eq!((&result["line"], &result["status"]), (&json!(line), &json!(status)));
    }
    let error = broken.error();
    for part in [
        "stopped after 200 of 410 rows",
        "200 may be imported (lines 202 to 401)",
        "10 are not imported (lines 402 to 411)",
        "Import the same file again: that is safe",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }

    // The table stops answering within a request, and the response reports that row by row.
    fails_from_call(97, "error500", 1000).await;
    let broken = world.run(&["licenses", "import", &file]).await;
    world.client.control(reqwest::Method::DELETE, "/sandbox/faults", Value::Null).await.unwrap();
    let summary = "Rows imported: 96, unchanged: 204, refused: 0, not confirmed: 100, not imported: 10.";
    assert!(broken.out.contains(summary), "{broken:?}");
    assert!(broken.out.contains("not_confirmed") && !broken.out.contains("nothing was imported"), "{broken:?}");
    let error = broken.error();
    assert!(error.contains("100 may be imported (lines 302 to 401)"), "{error}");

    let whole = world.run(&["licenses", "import", &file, "--json"]).await.json();
    assert_eq!(counts(&whole), [110, 300, 0, 0, 0]);
}

#[tokio::test]
async fn a_closed_output_ends_a_command_without_a_message() {
    let world = World::new().await;
    world.buy("demo-contract", json!({ "seats": 5 })).await;
    let stack = ["--stage", "staging", "--endpoint-url", world.sandbox.aws_url()];
    for (arguments, closes_err, expected) in [
        (&["licenses"][..], false, 141),
        (&["licenses", "--json"], false, 141),
        (&["completions", "bash"], false, 141),
        // The output on stderr, progress and the error, has no reader either.
        (&["licenses", "reconcile", "l-1"], true, 141),
        (&["licenses", "show", "l-1"], true, 1),
    ] {
        let mut command = crate::fixture::command();
        command.args(arguments).args(if arguments[0] == "completions" { &[][..] } else { &stack });
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let run = move || {
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            if closes_err {
                drop(child.stderr.take());
            }
            child.wait_with_output().unwrap()
        };
        let ended = tokio::task::spawn_blocking(run).await.unwrap();
        assert_eq!(ended.status.code(), Some(expected), "{arguments:?}: {ended:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "", "{arguments:?}");
    }
}
