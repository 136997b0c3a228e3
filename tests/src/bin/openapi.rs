//! Prints the API's contract as YAML: `cargo run -p tests --bin openapi > docs/openapi.yaml`.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default

fn main() {
    print!("{}", tests::contract());
}
