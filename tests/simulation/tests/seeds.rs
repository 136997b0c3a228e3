//! Tests of a few worlds, as many as an unoptimized build has time for. `cargo run --profile simulation -p simulation`
//! plays hundreds.

use simulation::faults::Pair;
use simulation::tally::Tally;
use simulation::{Telling, play};

#[test]
fn the_same_seed_gives_the_same_run_and_a_correct_bill() {
    let told = play(1, Telling::None);
    assert_eq!(told.differences, []);
    let again = play(1, Telling::Differences);
    assert_eq!(again.digest, told.digest);
    assert!(again.story.is_some_and(|story| story.lines().count() > 1000));
    assert_ne!(play(2, Telling::None).digest, told.digest);
}

#[test]
fn a_run_meets_the_required_coverage_and_an_empty_tally_does_not() {
    let tally = play(3, Telling::None).tally;
    let count = |name: &str| tally.counts.get(name).copied().unwrap_or_default();
    assert_eq!(tally.too_little(), Vec::<String>::new());
    assert!(count("crashes") > 0);
    // A world that was not played has too little of everything.
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
