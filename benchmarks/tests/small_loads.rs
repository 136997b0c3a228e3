//! The benchmarks with a small load: they run, and their results are right.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test; clippy does not know the fixture")]

use std::process::Command;

/// Returns the output of a benchmark that must succeed.
fn bench(arguments: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_benchmarks");
    let ended = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    said
}

#[test]
fn the_reporter_benchmark_sends_everything_in_full_calls() {
    let said = bench(&["metering", "--records", "200", "--dimensions", "2", "--no-quota", "--probe", "20"]);
    for part in [
        "200 records of 100 licenses",
        "8 calls of BatchMeterUsage",
        "0 throttled; 25.00 records a call",
        "the bill is exactly what was used",
        "goal met     DynamoDB requests a record",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn the_intake_benchmark_accepts_everything() {
    let said = bench(&["usage", "--events", "2000", "--licenses", "20", "--instances", "2", "--probe", "20"]);
    for part in ["2,000 events of 20 licenses", "the ledger has exactly what was reported", "goal"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn the_decision_benchmark_makes_one_query_per_decision() {
    let said = bench(&["entitlement", "--decisions", "200"]);
    for part in [
        "200 decisions for 100 tenants",
        "a decision asks 1.000 Query of DynamoDB and 0.000 of AWS Marketplace",
        "2,200 Query, 1 GetItem of the listing, 1 UpdateItem for the auditor, 0 of AWS Marketplace, 0 else",
        "p50 of a decision beside a bare query's",
        "p99 of a decision beside a bare query's",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}
