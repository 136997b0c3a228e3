//! `stallkeeper readiness` and `stallkeeper attest`.

use crate::fixture::typed;

#[tokio::test]
async fn only_what_no_program_can_see_is_attested() {
    // It is told without asking anybody.
    let nowhere = ["--stage", "staging", "--endpoint-url", "http://127.0.0.1:9"];
    for (check, why) in [("page.https", "nobody's word does for it"), ("page.strange", "is no check")] {
        let error = typed(["attest", check, "--note", "I saw it"].iter().chain(&nowhere)).await.error();
        assert!(error.contains(why), "{error}");
        assert!(error.contains("\n  app.no_payment_data") && error.contains("No payment data is collected"), "{error}");
        assert!(!error.contains("\n  page."), "{error}");
    }
    let silent = typed(["attest", "app.no_payment_data"].iter().chain(&nowhere)).await.error();
    assert!(silent.contains("--note"), "{silent}");
}
