//! The authorization of the entry points of a deployed stack in `template.yaml`.

use serde_json::Value;

fn resources() -> Vec<(String, Value)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
    let template: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    resources.iter().map(|(name, resource)| (name.clone(), resource.clone())).collect()
}

#[test]
fn every_route_of_the_api_requires_a_signature() {
    let (mut signed, mut open) = (0, 0);
    for (name, function) in resources() {
        for (event, route) in function["Properties"]["Events"].as_object().into_iter().flatten() {
            let path = route["Properties"]["Path"].as_str().unwrap_or_else(|| panic!("{name} {event} has no path"));
            let authorizer = route["Properties"]["Auth"]["Authorizer"].as_str();
            match path {
                "/register" | "/register/{proxy+}" => open += 1,
                _ => {
                    assert_eq!(authorizer, Some("AWS_IAM"), "{name} {event} {path}");
                    signed += 1;
                }
            }
        }
    }
    assert!(open == 2 && signed >= 10, "{open} {signed}");
}

#[test]
fn queues_accept_messages_only_from_named_senders() {
    let mut seen = 0;
    for (name, policy) in resources().into_iter().filter(|(_, of)| of["Type"] == "AWS::SQS::QueuePolicy") {
        for statement in policy["Properties"]["PolicyDocument"]["Statement"].as_array().unwrap() {
            // A conditional statement (`!If`) is a list: the name of the condition, the statement, and no value.
            let statement = statement.get(1).unwrap_or(statement);
            assert!(statement["Principal"]["Service"].is_string(), "{name}: {statement}");
            let sources = statement["Condition"].as_object().unwrap();
            let source = sources.iter().find_map(|(_, of)| of.get("aws:SourceArn"));
            assert!(source.is_some_and(|arn| !arn.is_null() && *arn != "*"), "{name}: {statement}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}
