//! Licenses: lists them, shows them, compares them with what AWS shows, and imports them.

mod import;
mod reconcile;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use crate::api::ApiArguments;
use crate::print::{Table, cell, say, say_json};
use crate::signed::encoded;
use crate::stack::StackArguments;

pub(crate) use reconcile::FUNCTION as RECONCILE_FUNCTION;

/// List licenses; each subcommand has its own options.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// List only the licenses of this AWS account.
    #[arg(long)]
    account: Option<String>,
    /// List only the licenses in this state.
    #[arg(long)]
    state: Option<State>,
    // Not `ApiArguments`: a subcommand has its own, and clap knows by `--stage` if these are present.
    #[command(flatten)]
    stack: Option<StackArguments>,
    /// Use this URL of the stack's API instead of asking CloudFormation for it.
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The state of a license.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Pending,
    Failed,
    Active,
    Ending,
    Ended,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a license.
    Show {
        /// The license: l-…, or <product code>~<customer identifier>.
        license: String,
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Compare licenses with what AWS Marketplace shows now, and repair what the events left out. The stack does this
    /// itself once a day. Repeating it changes nothing.
    Reconcile(reconcile::Arguments),
    /// Import the customers that you had before, from CSV (docs/openapi.yaml, `POST /v1/imports`, describes the
    /// columns). Repeating it changes nothing.
    Import {
        /// The file: UTF-8, with a header row.
        file: PathBuf,
        /// Print what would be imported, and import nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        api: ApiArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { command, account, state, stack, api_url, json } = arguments;
    match command {
        None => {
            let stack = stack.context("--stage is missing: set it to staging or production")?;
            list(account.as_deref(), state, &ApiArguments::of(stack, api_url), json).await
        }
        Some(Command::Show { license, api, json }) => show(&license, &api, json).await,
        Some(Command::Reconcile(arguments)) => reconcile::run(&arguments).await,
        Some(Command::Import { file, dry_run, api, json }) => import::run(&file, dry_run, &api, json).await,
    }
}

async fn list(account: Option<&str>, state: Option<State>, api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let account = account.map(|account| format!("&account={}", encoded(account))).unwrap_or_default();
    let state = state.and_then(|state| state.to_possible_value());
    let state = state.map(|state| format!("&state={}", state.get_name())).unwrap_or_default();
    let licenses = api.api().await?.list(&format!("/v1/licenses?limit=200{account}{state}"), "licenses").await?;
    if json {
        return say_json(&licenses);
    }
    if licenses.is_empty() {
        return say("There is no such license.");
    }
    let mut table = Table::of(&["LICENSE", "STATE", "TENANT", "ACCOUNT", "PRODUCT", "AGREEMENT"]);
    for license in &licenses {
        let columns = ["/id", "/state", "/tenant", "/account", "/product", "/agreement"];
        table.row(columns.map(|column| cell(license, column)));
    }
    say(table)
}

async fn show(license: &str, api: &ApiArguments, json: bool) -> anyhow::Result<()> {
    let license = api.api().await?.get(&format!("/v1/licenses/{}", encoded(license))).await?;
    if json {
        return say_json(&license);
    }
    let mut table = Table::of(&["LICENSE", &cell(&license, "/id")]);
    for (name, member) in [
        ("product", "/product"),
        ("arn", "/arn"),
        ("account", "/account"),
        ("customer identifier", "/customer_identifier"),
        ("agreement", "/agreement"),
        ("state", "/state"),
        ("usage until", "/usage_until"),
        ("end reason", "/end_reason"),
        ("grants access", "/grants_access"),
        ("tenant", "/tenant"),
        ("registered", "/registered_at"),
        ("free trial", "/free_trial"),
        ("advisory since", "/advisory/since"),
        ("predecessor", "/predecessor"),
        ("successor", "/successor"),
        ("newest event", "/sequence"),
        ("entitlements read", "/entitlements_read_at"),
    ] {
        table.row([name.to_owned(), cell(&license, member)]);
    }
    for entitlement in license.get("entitlements").and_then(Value::as_array).into_iter().flatten() {
        table.row([format!("  {}", cell(entitlement, "/dimension")), granted(entitlement)]);
    }
    say(table)
}

/// Describes the value that an entitlement grants, and its expiry.
fn granted(entitlement: &Value) -> String {
    let values = entitlement.get("value").and_then(Value::as_object).into_iter().flatten();
    let value = values.map(|(_, value)| cell(value, "")).collect::<Vec<_>>().join(" ");
    match cell(entitlement, "/expires_at").as_str() {
        "-" => value,
        until => format!("{value} until {until}"),
    }
}
