# Commands that contributors repeat: `just` lists them, `just test usage_intake` runs one.
# https://just.systems; every recipe is also a plain command that can be copied from here.

_list:
    @just --list --unsorted

# Run the unit tests of one crate, the library that changes most by default
unit crate="domain":
    cargo test -p {{crate}}

# Run the end-to-end tests, or one group of them (a file of tests/tests/end_to_end)
test group="":
    cargo test -p tests --test end_to_end -- {{group}}

# Run every test of the workspace
test-all:
    cargo test --workspace

# Check format, lints and unit tests
quick:
    .ci/run quick

# Format the code
fmt:
    cargo fmt --all

# Check format, lints and prose
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    python3 tests/prose/check_prose.py

# Run everything that must pass before a change is merged (about 50 minutes on 2 processors)
ci:
    .ci/run

# Run the demo: five kinds of buyers, from the registration page to the bill
demo:
    cargo run -p sandbox -- demo

# Start the sandbox; the storefront is at http://127.0.0.1:8080/
sandbox *options:
    cargo run -p sandbox -- serve {{options}}

# Run the simulation on `seeds` seeds, starting at `from`
simulation from="251" seeds="250":
    cargo run --profile simulation -p simulation -- --from {{from}} --seeds {{seeds}}

# Plant each known defect, and check that the simulation finds it
prove seeds="known":
    tests/simulation/prove {{seeds}}

# Write the API's contract from the handlers' types
openapi:
    cargo run -p tests --bin openapi > docs/openapi.yaml

# Measure: metering, usage, entitlement or coldstart
bench what *options:
    cargo run --release -p benchmarks -- {{what}} {{options}}
