//! The contract of the whole API, as `docs/openapi.yaml` has it.

use lambda::http::contract::document;

const HEAD: &str = "\
# Generated from the code: change the types and the comments of the handlers, then run
#   cargo run -p tests --bin openapi > docs/openapi.yaml
";

/// Returns the contract as YAML.
pub fn contract() -> String {
    let document: utoipa::openapi::OpenApi =
        document([entitlement::contract(), readiness::contract(), usage::contract()]);
    let lines = document.to_yaml().unwrap().lines().map(quoted).collect::<String>();
    format!("{HEAD}{lines}")
}

/// Returns a line with its value in quotes if it looks like a time: many readers of YAML would make a date of the text.
fn quoted(line: &str) -> String {
    let value = line.find(": ").map_or_else(|| line.find("- "), Some).map_or(0, |at| at + 2);
    let (before, value) = line.split_at(value);
    let is_time = value.len() >= 10 && value.starts_with("20") && value.chars().all(|c| "0123456789-:TZ".contains(c));
    if is_time { format!("{before}'{value}'\n") } else { format!("{line}\n") }
}
