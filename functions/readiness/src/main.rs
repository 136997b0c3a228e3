//! Runs the function.
fn main() {}
