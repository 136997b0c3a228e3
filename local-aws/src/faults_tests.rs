use serde_json::json;

use super::*;

#[test]
fn a_fault_applies_to_the_calls_that_it_names() {
    let faults = Faults::default();
    faults
        .add(
            Fault::read(&json!({"service": "dynamodb", "operation": "PutItem", "call": 2, "times": 2,
                "kind": "500"}))
            .unwrap(),
        )
        .unwrap();
    let applied: Vec<bool> = (0..5).map(|_| faults.apply(Service::DynamoDb, "PutItem", None).is_some()).collect();
    assert_eq!(applied, [false, true, true, false, false]);
    assert_eq!(faults.apply(Service::DynamoDb, "GetItem", None), None);
    let planned = faults.list();
    assert_eq!((planned[0].calls, planned[0].applied), (5, 2));
    faults.clear();
    assert!(faults.list().is_empty());
}

#[test]
fn a_fault_of_one_product_does_not_affect_other_products() {
    let faults = Faults::default();
    let plan = json!({"service": "metering", "operation": "BatchMeterUsage", "kind": "disabled_api", "product": "a"});
    faults.add(Fault::read(&plan).unwrap()).unwrap();
    let apply = |product| faults.apply(Service::Metering, "BatchMeterUsage", product).is_some();
    assert_eq!([apply(Some("b")), apply(None), apply(Some("a"))], [false, false, true]);
}

#[test]
fn a_kind_that_does_not_fit_its_operation_is_refused() {
    let plan =
        |service: &str, operation: &str, kind: &str| json!({"service": service, "operation": operation, "kind": kind});
    for (service, operation, kind, part) in [
        ("metering", "ResolveCustomer", "unprocessed", "BatchMeterUsage of metering"),
        ("metering", "*", "unprocessed", "BatchWriteItem of dynamodb"),
        ("dynamodb", "PutItem", "unprocessed", "BatchWriteItem of dynamodb"),
        ("dynamodb", "BatchWriteItem", "transaction_conflict", "TransactWriteItems"),
        ("dynamodb", "*", "transaction_conflict", "PutItem"),
        ("entitlement", "GetEntitlements", "disabled_api", "every operation of metering"),
    ] {
        let refused = Fault::read(&plan(service, operation, kind)).unwrap_err();
        assert_eq!(refused.code(), "kind_unfit", "{refused}");
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let fitting = [
        plan("metering", "BatchMeterUsage", "unprocessed"),
        plan("dynamodb", "BatchWriteItem", "unprocessed"),
        plan("dynamodb", "TransactWriteItems", "transaction_conflict"),
        plan("dynamodb", "PutItem", "transaction_conflict"),
        plan("metering", "*", "disabled_api"),
    ];
    for plan in fitting {
        Fault::read(&plan).unwrap();
    }
}

#[test]
fn an_invalid_fault_plan_is_refused_with_the_allowed_values() {
    let good = json!({"service": "metering", "operation": "ResolveCustomer", "kind": "throttle"});
    assert_eq!(Fault::read(&good).unwrap().times, 1);
    let cases = [
        ("service", json!("kms"), "service_unknown", "dynamodb, metering, entitlement, agreement"),
        ("operation", json!("GetEntitlements"), "operation_unknown", "*, ResolveCustomer"),
        ("kind", json!("explode"), "kind_unknown", "before, after, throttle, error500, timeout, hang, access_denied"),
        ("call", json!(0), "fault_malformed", "count from 1"),
        ("times", json!(-1), "fault_malformed", "u32"),
        ("colour", json!("red"), "fault_malformed", "unknown field `colour`"),
        ("service", json!(7), "fault_malformed", "service"),
        ("records", json!(1), "fault_malformed", "the kinds unprocessed and transaction_conflict"),
        ("records", json!(0), "fault_malformed", "`records` counts from 1"),
        ("product", json!("4democontract0000000000ab"), "fault_malformed", "BatchMeterUsage only"),
    ];
    for (field, value, code, part) in cases {
        let mut plan = good.clone();
        plan[field] = value;
        let refused = Fault::read(&plan).unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(field == "service" && code == "fault_malformed" || refused.to_string().contains(part), "{refused}");
    }
    assert_eq!(Fault::read(&json!([])).unwrap_err().code(), "fault_malformed");
}
