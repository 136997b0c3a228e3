//! The fixture that every test starts from: a sandbox with one staging stack, its test client, and the command.

use std::process::Command;

use clock::Clock;
use jiff::SignedDuration;
use sandbox::test_client::{TestClient, TestPurchase};
use sandbox::{Listings, Options, Sandbox};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: TestClient,
}

/// The output of the command, and its success.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) done: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandOutput {
    /// Returns the output of a command that succeeded.
    pub(crate) fn text(self) -> String {
        assert!(self.done, "{self:?}");
        self.out
    }

    /// Returns the JSON of a command that succeeded.
    pub(crate) fn json(self) -> Value {
        assert!(self.done, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// Returns the error of a command that failed.
    pub(crate) fn error(self) -> String {
        assert!(!self.done && self.err.contains("error: "), "{self:?}");
        self.err
    }
}

/// Returns the options of a sandbox in the middle of a month: records of a month's last hours are held back for late
/// usage.
pub(crate) fn mid_month() -> Options {
    Options { clock: Clock::ticking_from("2026-11-10T09:20:00Z".parse().unwrap()), ..Options::default() }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts a stack that sells the demo contract alone.
    pub(crate) async fn of_one_listing() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../listings/demo-contract.toml");
        std::fs::copy(contract, folder.path().join("contract.toml")).unwrap();
        let listings = Listings::Folder(folder.path().to_owned());
        Self::with(Options { listings, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = TestClient::at(sandbox.url()).unwrap();
        Self { sandbox, client }
    }

    /// Runs a command on the staging stack, which CloudFormation finds.
    pub(crate) async fn run(&self, arguments: &[&str]) -> CommandOutput {
        let stack = ["--stage", "staging", "--endpoint-url", self.sandbox.aws_url()];
        typed(arguments.iter().chain(&stack)).await
    }

    pub(crate) async fn buy(&self, product: &str, dimensions: Value) -> TestPurchase {
        self.client.buy(json!({ "product": product, "dimensions": dimensions })).await.unwrap()
    }

    /// Calls the control API.
    pub(crate) async fn control(&self, path: &str, body: Value) -> Value {
        self.client.control(reqwest::Method::POST, path, body).await.unwrap()
    }

    /// Plans a fault in AWS for a number of calls.
    pub(crate) async fn fault(&self, service: &str, operation: &str, kind: &str, times: u32) {
        let fault = json!({ "service": service, "operation": operation, "kind": kind, "times": times });
        self.control("/sandbox/faults", fault).await;
    }

    pub(crate) async fn advance(&self, minutes: i64) {
        self.sandbox.advance(SignedDuration::from_mins(minutes)).await.unwrap();
    }

    /// Returns a usage event of the current time.
    pub(crate) fn usage(&self, license: &str, quantity: i64) -> Value {
        let time = self.sandbox.clock().now().to_string();
        json!({ "license": license, "dimension": "requests", "quantity": quantity, "key": "k", "time": time })
    }
}

/// Runs the command with no more options than are typed.
pub(crate) async fn typed(arguments: impl Iterator<Item = impl ToString>) -> CommandOutput {
    let mut command = command();
    command.args(arguments.map(|argument| argument.to_string()));
    run(command).await
}

/// Returns the command with fixed credentials, and without an endpoint of the environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stallkeeper"));
    command.env_remove("AWS_ENDPOINT_URL").env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs([("AWS_ACCESS_KEY_ID", "AKIAOPERATOR"), ("AWS_SECRET_ACCESS_KEY", "any")]);
    command
}

/// Runs a command, without input.
pub(crate) async fn run(mut command: Command) -> CommandOutput {
    let run = move || command.stdin(std::process::Stdio::null()).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    CommandOutput { done: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}
