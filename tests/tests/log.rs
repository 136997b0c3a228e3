//! A test of the search for secrets in the log, on which every other test relies.

use tests::log::{keep_secret, leaked, watch};

#[test]
fn a_secret_in_the_log_is_detected() {
    watch();
    tracing::info!(target: "stallkeeper", license = "l-1", "harmless");
    assert_eq!(leaked(), Vec::<String>::new());
    keep_secret("the-token");
    tracing::trace!(target: "registration", token = "the-token", "arrived");
    tracing::info!(target: "usage", "written to someone@example.com");
    let leaked = leaked();
    assert!(leaked.len() == 2 && leaked[0].contains("the-token") && leaked[1].contains("someone@"), "{leaked:?}");
    keep_secret("a+token/==");
    tracing::trace!(target: "registration", body = "t=a%2Btoken%2F%3D%3D", "arrived");
    assert_eq!(tests::log::leaked().len(), 1, "encoded for a form");
}
