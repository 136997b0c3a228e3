//! Tests of a few seeds, as many as an unoptimized build has time for. `cargo run --profile simulation -p simulation`
//! runs hundreds.

use simulation::faults::Pair;
use simulation::tally::Tally;
use simulation::{LogDetail, run_seed};

#[test]
fn the_same_seed_gives_the_same_run_and_a_correct_bill() {
    let result = run_seed(1, LogDetail::None);
    assert_eq!(result.differences, []);
    let again = run_seed(1, LogDetail::Differences);
    assert_eq!(again.digest, result.digest);
    assert!(again.log.is_some_and(|log| log.lines().count() > 1000));
    assert_ne!(run_seed(2, LogDetail::None).digest, result.digest);
}

#[test]
fn a_run_meets_the_required_coverage_and_an_empty_tally_does_not() {
    let tally = run_seed(3, LogDetail::None).tally;
    let count = |name: &str| tally.counts.get(name).copied().unwrap_or_default();
    assert_eq!(tally.too_little(), Vec::<String>::new());
    assert!(count("crashes") > 0);
    // An empty tally has too little of everything.
    assert_eq!(Tally::default().too_little().len(), 3);
}

#[test]
fn every_kind_of_fault_applies_to_some_operation() {
    let names: Vec<String> = Pair::all().iter().map(Pair::name).collect();
    for kind in ["before", "after", "throttle", "error500", "timeout", "access_denied", "disabled_api", "unprocessed"] {
        assert!(names.contains(&format!("BatchMeterUsage {kind}")), "{kind}");
    }
    assert!(names.contains(&"TransactWriteItems transaction_conflict".to_owned()));
    assert!(!names.contains(&"GetItem unprocessed".to_owned()));
}
