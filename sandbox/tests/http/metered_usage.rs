//! Metered usage, and the behavior that applies to it, through the control API.

use super::*;

impl TestSandbox {
    /// Meters usage of a purchase now, and returns AWS's answer.
    async fn meter(&self, bought: &Value, quantity: u32) -> Value {
        let record = json!({
            "Timestamp": self.now().as_second(),
            "Dimension": "requests",
            "Quantity": quantity,
            "CustomerAWSAccountId": bought["account_id"],
            "LicenseArn": bought["license_arn"],
        });
        let request = self.client.post(self.sandbox.aws_url()).header("x-amz-target", BATCH_METER_USAGE);
        request.json(&json!({ "UsageRecords": [record] })).send().await.unwrap().json().await.unwrap()
    }
}

const BATCH_METER_USAGE: &str = "AWSMPMeteringService.BatchMeterUsage";

#[tokio::test]
async fn the_bill_shows_the_booked_records() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-subscription").await;
    assert_eq!(sandbox.get("/sandbox/bill").await, json!({ "records": [], "totals": [] }));
    let answer = sandbox.meter(&bought, 17).await;
    let expected = json!({
        "records": [{
            "license": bought["license"],
            "account": bought["account_id"],
            "product": "5demosubscription000000ab",
            "dimension": "requests",
            "hour": START,
            "quantity": "17",
            "region": "us-east-1",
            "style": "license",
            "metering_record_id": answer["Results"][0]["MeteringRecordId"],
        }],
        "totals": [{
            "license": bought["license"],
            "product": "5demosubscription000000ab",
            "dimension": "requests",
            "month": "2026-11",
            "quantity": "17",
        }],
    });
    assert_eq!(sandbox.get("/sandbox/bill").await, expected);
    assert_eq!(sandbox.get("/sandbox/bill?product=demo-subscription").await, expected);
    assert_eq!(sandbox.get("/sandbox/bill?product=demo-contract").await, json!({ "records": [], "totals": [] }));
    let answer = sandbox.client.get(sandbox.url("/sandbox/bill?product=moon")).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "product_unknown");
}

#[tokio::test]
async fn the_behavior_of_a_running_sandbox_can_be_changed() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-subscription").await;
    let before = sandbox.get("/sandbox/behavior").await;
    assert_eq!(before["identical_repeat"], "success");
    assert_eq!(sandbox.meter(&bought, 1).await["Results"][0]["Status"], "Success");
    assert_eq!(sandbox.meter(&bought, 1).await["Results"][0]["Status"], "Success");

    let after = sandbox.post("/sandbox/behavior", json!({ "identical_repeat": "duplicate_record" })).await;
    let mut expected = before;
    expected["identical_repeat"] = "duplicate_record".into();
    assert_eq!(after, expected);
    assert_eq!(sandbox.get("/sandbox/behavior").await, expected);
    assert_eq!(sandbox.meter(&bought, 1).await["Results"][0]["Status"], "DuplicateRecord");
    let bill = sandbox.get("/sandbox/bill").await;
    assert_eq!(bill["totals"][0]["quantity"], "1");
}

#[tokio::test]
async fn a_dimension_is_accepted_once_it_is_published() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-subscription").await;
    let publish = async |published: bool| {
        let body = json!({ "product": "demo-subscription", "dimension": "requests", "published": published });
        sandbox.post("/sandbox/dimensions", body).await
    };
    publish(false).await;
    let refused = sandbox.meter(&bought, 1).await;
    assert!(refused["__type"].as_str().unwrap().ends_with("#InvalidUsageDimensionException"), "{refused}");
    publish(true).await;
    assert_eq!(sandbox.meter(&bought, 1).await["Results"][0]["Status"], "Success");
}

#[tokio::test]
async fn the_entitlements_delay_of_a_running_sandbox_can_be_changed() {
    let sandbox = TestSandbox::start().await;
    let behavior = sandbox.post("/sandbox/behavior", json!({ "entitlements_delay": "90s" })).await;
    assert_eq!(behavior["entitlements_delay"], "1m 30s");
    let order = json!({ "product": "demo-contract", "dimensions": { "seats": 5 }, "register": false });
    sandbox.post("/sandbox/purchases", order).await;
    let shown = async || {
        let request = sandbox.client.post(sandbox.sandbox.aws_url());
        let request = request.header("x-amz-target", "AWSMPEntitlementService.GetEntitlements");
        let request = request.json(&json!({ "ProductCode": "4democontract0000000000ab" }));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["Entitlements"].as_array().unwrap().len()
    };
    assert_eq!(shown().await, 0);
    sandbox.post("/sandbox/clock", json!({ "advance": "90s" })).await;
    assert_eq!(shown().await, 1);
    sandbox.post("/sandbox/behavior", json!({ "entitlements_delay": "1h" })).await;
    assert_eq!(shown().await, 0);
    sandbox.post("/sandbox/behavior", json!({ "entitlements_delay": "0s" })).await;
    assert_eq!(shown().await, 1);
}

#[tokio::test]
async fn the_sandboxs_own_reads_bypass_faults_and_the_log() {
    let sandbox = TestSandbox::start().await;
    sandbox.post("/sandbox/purchases", json!({ "product": "demo-subscription" })).await;
    read(sandbox.client.delete(sandbox.url("/sandbox/wire")).send().await.unwrap()).await;
    let fault = json!({ "service": "dynamodb", "operation": "*", "times": 99, "kind": "error500" });
    sandbox.post("/sandbox/faults", fault).await;
    assert_eq!(sandbox.event_types().await, ["license.activated"]);
    let page = sandbox.client.get(sandbox.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("license.activated"), "{page}");
    assert_eq!(sandbox.get("/sandbox/wire").await["calls"], json!([]));
    assert_eq!(sandbox.get("/sandbox/faults").await["faults"][0]["calls"], 0);
}
