//! The contract of the whole API, as `docs/openapi.yaml` has it.

use stallkeeper::http::contract::document;

const HEAD: &str = "\
# Generated from the code: change the types and the comments of the handlers, then run
#   cargo run -p tests --bin openapi > docs/openapi.yaml
";

/// Returns the contract as YAML.
pub fn contract() -> String {
    let document = document([entitlement::contract(), readiness::contract(), usage::contract()]);
    format!("{HEAD}{}", document.to_yaml().unwrap())
}
