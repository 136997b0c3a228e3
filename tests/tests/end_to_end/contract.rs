//! `docs/openapi.yaml` is generated from the handlers, and describes them: no path, method, status or code is in
//! only one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::encodings::Body;
use domain::listing::Stage;
use entitlement::EntitlementApi;
use readiness::{Deployment, Internet, Readiness};
use regex_lite::Regex;
use reqwest::{Client, Method, header};
use serde_json::{Value, json};
use tests::TestEnvironment;
use usage::UsageApi;

/// No sample event is published.
const TOPIC: &str = "arn:aws:sns:us-east-1:444455556666:events";

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// The answers of API Gateway itself, or of a function that fails; no handler answers it here.
const NOT_OF_A_HANDLER: [&str; 4] = ["403", "413", "429", "500"];

const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=AKIAAPPLICATION/20261110/us-east-1/execute-api/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=0";

/// An operation of the document.
struct Operation {
    path: String,
    method: String,
    /// Of the path, and of the operation itself.
    parameters: Vec<Value>,
    described: Value,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(root().join("docs/openapi.yaml")).unwrap()).unwrap()
}

/// Returns the target of a reference; anything else is returned as it is.
fn resolved<'a>(document: &'a Value, described: &'a Value) -> &'a Value {
    match described["$ref"].as_str() {
        Some(place) => {
            document.pointer(place.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{place} is not there"))
        }
        None => described,
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            assert!(METHODS.contains(&method.as_str()), "{path} has {method}");
            let parameters = [&item["parameters"], &described["parameters"]].into_iter().filter_map(Value::as_array);
            let parameters = parameters.flatten().map(|parameter| resolved(document, parameter).clone()).collect();
            operations.push(Operation {
                path: path.clone(),
                method: method.clone(),
                parameters,
                described: described.clone(),
            });
        }
    }
    assert!(!operations.is_empty());
    operations
}

impl Operation {
    /// The path with the examples of its parameters.
    fn example_path(&self) -> String {
        let in_path = self.parameters.iter().filter(|parameter| parameter["in"] == "path");
        let path = in_path.fold(self.path.clone(), |path, parameter| {
            let place = format!("{{{}}}", parameter["name"].as_str().unwrap());
            assert!(path.contains(&place), "{path} has no {place}");
            path.replace(&place, parameter["example"].as_str().unwrap())
        });
        assert!(!path.contains('{'), "{path}: a parameter is not described");
        path
    }

    /// The same with the examples of the parameters that the query needs.
    fn example_target(&self) -> String {
        let needed =
            self.parameters.iter().filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
        let query = needed.map(|parameter| {
            format!("{}={}", parameter["name"].as_str().unwrap(), parameter["example"].as_str().unwrap())
        });
        let query = query.collect::<Vec<_>>().join("&");
        if query.is_empty() { self.example_path() } else { format!("{}?{query}", self.example_path()) }
    }

    fn response<'a>(&'a self, document: &'a Value, status: u16) -> Option<&'a Value> {
        Some(resolved(document, self.described["responses"].get(status.to_string())?))
    }
}

/// The codes of a problem that a response may have.
fn codes_of_response(document: &Value, response: &Value) -> BTreeSet<String> {
    let schema = resolved(document, &response["content"]["application/problem+json"]["schema"]);
    named(&schema["properties"]["code"]["enum"])
}

/// The texts of a list; none if it is not there.
fn named(texts: &Value) -> BTreeSet<String> {
    texts.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_openapi_file_matches_the_commands_output() {
    let written = std::fs::read_to_string(root().join("docs/openapi.yaml")).unwrap();
    let command = "cargo run -p tests --bin openapi > docs/openapi.yaml";
    assert!(written == tests::contract(), "docs/openapi.yaml is not what the code says: run `{command}`");
}

/// A call of the application: the status, the header `Allow`, and the document.
async fn call(world: &TestEnvironment, method: &str, path: &str, more: &Operation) -> (u16, Option<String>, Value) {
    let method: Method = method.to_uppercase().parse().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request =
        client.request(method, format!("{}{path}", world.sandbox.url())).header(header::AUTHORIZATION, SIGNATURE);
    for parameter in more.parameters.iter().filter(|parameter| parameter["in"] == "header") {
        request = request.header(parameter["name"].as_str().unwrap(), parameter["example"].as_str().unwrap());
    }
    let content = &more.described["requestBody"]["content"];
    let request = match (&content["application/json"]["example"], content["text/csv"]["example"].as_str()) {
        (Value::Null, Some(csv)) => request.header(header::CONTENT_TYPE, "text/csv").body(csv.to_owned()),
        (Value::Null, None) => request,
        (body, _) => request.json(body),
    };
    let answer = request.send().await.unwrap();
    let allow = answer.headers().get(header::ALLOW).map(|allow| allow.to_str().unwrap().to_owned());
    let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
    (status, allow, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let (world, document) = (TestEnvironment::new().await, document());
    for operation in operations(&document) {
        let (method, path) = (&operation.method, operation.example_target());
        let (status, _, answer) = call(&world, method, &path, &operation).await;
        assert!(!NOT_OF_A_HANDLER.contains(&status.to_string().as_str()), "{method} {path}: {status} {answer}");
        let response = operation.response(&document, status);
        let response = response.unwrap_or_else(|| panic!("{method} {path} is answered {status}: {answer}"));
        // The examples are right, so what is missing is only what they name.
        if ![200, 201, 204].contains(&status) {
            let code = answer["code"].as_str().unwrap_or_else(|| panic!("{method} {path}: {status} {answer}"));
            assert!([404, 410].contains(&status) && code != "route_unknown", "{method} {path}: {status} {answer}");
            assert!(codes_of_response(&document, response).contains(code), "{method} {path}: {status} {answer}");
        }
    }
}

#[tokio::test]
async fn every_path_has_exactly_its_documented_methods() {
    let (world, document) = (TestEnvironment::new().await, document());
    let operations = operations(&document);
    for path in document["paths"].as_object().unwrap().keys() {
        let of_path: Vec<&Operation> = operations.iter().filter(|operation| operation.path == *path).collect();
        let documented: BTreeSet<&str> = of_path.iter().map(|operation| operation.method.as_str()).collect();
        let is_undocumented = |method: &&str| match *method {
            "head" => !documented.contains("get"),
            other => !documented.contains(other),
        };
        for method in METHODS.into_iter().filter(is_undocumented) {
            let path = of_path[0].example_path();
            let (status, allow, answer) = call(&world, method, &path, of_path[0]).await;
            let allow = allow.unwrap_or_else(|| panic!("{method} {path}: {status} {answer}")).to_lowercase();
            // A path that has GET has HEAD.
            let allowed: BTreeSet<&str> = allow.split(',').map(str::trim).filter(|method| *method != "head").collect();
            assert_eq!((status, allowed), (405, documented.clone()), "{method} {path}");
            assert!(method == "head" || answer["code"] == "method_not_allowed", "{method} {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn every_operation_has_exactly_its_documented_query_parameters() {
    let (world, document) = (TestEnvironment::new().await, document());
    for operation in operations(&document) {
        let in_query = operation.parameters.iter().filter(|parameter| parameter["in"] == "query");
        let documented: BTreeSet<&str> = in_query.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let (method, path) = (&operation.method, operation.example_path());
        let (status, _, answer) = call(&world, method, &format!("{path}?nonsense=1"), &operation).await;
        assert_eq!((status, &answer["code"]), (400, &json!("parameter_invalid")), "{method} {path}: {answer}");
        let detail = answer["detail"].as_str().unwrap();
        let (_, known) = detail.split_once("unknown field `nonsense`").unwrap_or_else(|| panic!("{detail}"));
        let known = found("`([a-z_]+)`", known);
        assert_eq!(known.iter().map(String::as_str).collect::<BTreeSet<_>>(), documented, "{method} {path}");
    }
}

/// The text of the sources in a folder or file of the repository, without their tests.
fn sources(places: &[&str]) -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for place in places {
        let place = root().join(place);
        let files: Vec<PathBuf> = if place.is_dir() {
            std::fs::read_dir(&place)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file())
                .collect()
        } else {
            vec![place]
        };
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
            let is_test = file.file_stem().unwrap().to_str().unwrap().ends_with("_tests");
            if !is_test {
                sources.push((file, text));
            }
        }
    }
    sources
}

/// Returns the matches of a pattern's first group, in order.
fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|captures| captures[1].to_owned()).collect()
}

#[test]
fn every_route_of_the_handlers_is_documented() {
    let document = document();
    let mut routes = BTreeSet::new();
    for (file, text) in
        sources(&["functions/entitlement/src/lib.rs", "functions/usage/src/lib.rs", "functions/readiness/src/api.rs"])
    {
        let of_file = found(r#"\.route\(\s*"([^"]+)""#, &text);
        assert!(!of_file.is_empty(), "{} has no routes", file.display());
        for route in of_file {
            assert!(routes.insert(route.clone()), "{route} is there twice");
        }
    }
    let documented: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(routes, documented);
}

/// A deployment without parts to check.
fn deployment() -> Deployment {
    let nothing = json!({
        "stack": "any", "registration_url": null, "marketplace_events_rule": "any", "marketplace_events_queue": "any", "schedules": [],
        "dead_letters": [], "alarms": [], "audit_log": "any", "subscriptions": [],
    });
    serde_json::from_value(nothing).unwrap()
}

#[tokio::test]
async fn every_sample_request_is_a_documented_operation() {
    let (world, document) = (TestEnvironment::new().await, document());
    let (config, table) = (world.sandbox.sdk_config(), world.sandbox.table(Stage::Staging).unwrap());
    let clock = world.sandbox.clock();
    let entitlement = EntitlementApi::new(config, table, TOPIC, clock.clone());
    let usage = UsageApi::new(config, table, clock.clone());
    let operations = operations(&document);
    let mut routed = 0;
    let readiness = Readiness::new(
        config,
        table,
        deployment(),
        Internet::new(world.sandbox.web().known(), clock.clone()),
        clock.clone(),
    );
    for function in ["entitlement", "usage", "readiness"] {
        for entry in std::fs::read_dir(root().join("events").join(function)).unwrap() {
            let file = entry.unwrap().path();
            let sample: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            if sample["rawPath"].is_null() {
                continue; // what a schedule sends
            }
            let event: ApiGatewayV2httpRequest = serde_json::from_value(sample.clone()).unwrap();
            let answer = match function {
                "usage" => usage.handle(event).await,
                "readiness" => readiness.handle(event).await,
                _ => entitlement.handle(event).await,
            };
            let text = if let Some(Body::Text(text)) = answer.body { text } else { "null".to_owned() };
            let is_page = text.starts_with("<!doctype html>");
            let answered = if is_page { Value::Null } else { serde_json::from_str::<Value>(&text).unwrap() };
            let code = answered["code"].clone();
            let (path, method) = (sample["rawPath"].as_str().unwrap(), &sample["requestContext"]["http"]["method"]);
            let matches = |of: &str| {
                let pattern = Regex::new(r"\{[a-z]+\}").unwrap().replace_all(of, "[^/]+").into_owned();
                Regex::new(&format!("^{pattern}$")).unwrap().is_match(path)
            };
            let of_path: Vec<&Operation> = operations.iter().filter(|operation| matches(&operation.path)).collect();
            let method = method.as_str().unwrap().to_lowercase();
            let operation = of_path.iter().find(|operation| operation.method == method);
            assert_eq!(of_path.is_empty(), code == "route_unknown", "{}", file.display());
            assert_eq!(
                operation.is_none(),
                code == "route_unknown" || code == "method_not_allowed",
                "{}",
                file.display()
            );
            if let Some(operation) = operation {
                let status = u16::try_from(answer.status_code).unwrap();
                let response = operation.response(&document, status);
                let response = response.unwrap_or_else(|| panic!("{}: {status}", file.display()));
                let known = code.as_str().is_none_or(|code| codes_of_response(&document, response).contains(code));
                assert!(known, "{}: {code}", file.display());
                routed += 1;
            }
        }
    }
    assert!(routed >= 25, "only {routed} samples are routed");
}

#[test]
fn the_documented_problem_codes_are_those_of_the_sources() {
    let document = document();
    let mut in_sources = BTreeSet::new();
    for (file, text) in sources(&[
        "functions/entitlement/src",
        "functions/usage/src",
        "functions/readiness/src",
        "shared/lambda/src/http.rs",
        "shared/lambda/src/http",
    ]) {
        let made = found(r#"(?:Problem|ProblemDocument|Self)::new\(\s*StatusCode::[A-Z_]+,\s*([a-z_"]+),"#, &text);
        let all = found(r"((?:Problem|ProblemDocument)::new\(|Self::new\(\s*StatusCode)", &text);
        assert_eq!(made.len(), all.len(), "{}: a problem is made in another way", file.display());
        for code in made {
            // A closure that makes several takes the code first.
            let codes = if code == "code" { found(r#"\brefuse\(\s*("[a-z_]+"),"#, &text) } else { vec![code] };
            assert!(!codes.is_empty(), "{} has a code that is not found", file.display());
            in_sources.extend(codes.iter().map(|code| code.trim_matches('"').to_owned()));
        }
    }
    let documented = named(&document["components"]["schemas"]["ProblemCode"]["enum"]);
    assert_eq!(in_sources, documented);

    let mut of_operations: BTreeSet<String> = BTreeSet::from(["route_unknown".into(), "method_not_allowed".into()]);
    for operation in operations(&document) {
        for (status, response) in operation.described["responses"].as_object().unwrap() {
            let response = resolved(&document, response);
            let codes = codes_of_response(&document, response);
            let is_problem = response["content"].get("application/problem+json").is_some();
            assert_eq!(is_problem, !codes.is_empty(), "{} {}: {status}", operation.method, operation.path);
            of_operations.extend(codes);
        }
    }
    assert_eq!(of_operations, documented);
}

#[test]
fn the_documented_result_codes_are_those_of_the_sources() {
    let mut in_sources: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (_, text) in sources(&["functions/usage/src"]) {
        let refused = [r#"\bunreadable\(\s*"([a-z_]+)""#, r#"Unreadable \{\s*code: "([a-z_]+)""#];
        let refused = refused.into_iter().flat_map(|pattern| found(pattern, &text));
        in_sources.entry("refused").or_default().extend(refused);
        for (status, name) in [("Conflict", "conflict"), ("Retry", "retry")] {
            let pattern = format!(r#"Status::{status},\s*"([a-z_]+)""#);
            in_sources.entry(name).or_default().extend(found(&pattern, &text));
        }
    }
    let (_, judged) = sources(&["shared/domain/src/usage.rs"]).remove(0);
    let (_, judged) = judged.split_once("pub fn code(self)").unwrap();
    let (judged, _) = judged.split_once("\n}").unwrap();
    in_sources.entry("refused").or_default().extend(found(r#"=> "([a-z_]+)","#, judged));
    // `Refusal::is_recent`: what is not refused before a while has passed.
    let not_yet = ["license_ended", "month_closed", "too_old"].map(str::to_owned);
    in_sources.entry("retry").or_default().extend(not_yet);

    let document = document();
    let mut documented: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for result in document["components"]["schemas"]["EventResult"]["oneOf"].as_array().unwrap() {
        let properties = &resolved(&document, result)["properties"];
        match properties["status"]["enum"].as_array().unwrap().as_slice() {
            [status] => {
                documented.entry(status.as_str().unwrap()).or_default().extend(named(&properties["code"]["enum"]));
            }
            several => assert_eq!(several, [json!("accepted"), json!("duplicate")]),
        }
    }
    assert_eq!(in_sources, documented);
}
