//! Attestations: operators confirm checks that no program can make.

use anyhow::{Context, bail, ensure};
use clap::Args;
use domain::language::Language;
use domain::listing::Stage;
use http::Method;
use readiness_checks::{ATTESTATION_LIFE, Attestation, CHECKS, check, texts};
use serde_json::json;

use crate::print::{plain, say, say_json};
use crate::readiness::ProductArguments;
use crate::signed::encoded;

/// Attest a check that no program can make. The audit log keeps the caller; after 180 days the attestation expires.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The check's id, as `stallkeeper readiness` lists it: app.no_payment_data.
    check: String,
    /// A note of what you checked; the report shows it.
    #[arg(long, value_name = "TEXT", required_unless_present = "withdraw")]
    note: Option<String>,
    /// Withdraw the attestation.
    #[arg(long, conflicts_with = "note")]
    withdraw: bool,
    #[command(flatten)]
    product: ProductArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(Arguments { check: id, note, withdraw, product, json }: Arguments) -> anyhow::Result<()> {
    is_attestable(&id, product.api.stack().stage())?;
    // A note of dots, as in the commands that are shown, has no information.
    let says_something = note.as_ref().is_none_or(|note| note.contains(char::is_alphanumeric));
    ensure!(says_something, "--note must say what you looked at, since it stands in the report");
    let api = product.api.api().await?;
    let code = product.product(&api).await?;
    let path = format!("/v1/readiness/attestations/{}", encoded(&id));
    let in_the_report = format!("It stands in the report from the next look on: {}", product.look_now(&code));
    if withdraw {
        let path = format!("{path}?product={}", encoded(&code));
        let answer = api.ask(Method::DELETE, &path, "application/json", "").await?;
        if !answer.status.is_success() {
            return Err(api.refusal(&answer));
        }
        return match json {
            true => say_json(&json!({ "product": code, "check": id, "attested": false })),
            false => say(format!("nobody attests {id} of {code} any more\n{in_the_report}")),
        };
    }
    let body = json!({ "product": code, "note": note.unwrap_or_default() }).to_string();
    let answer = api.read(api.ask(Method::PUT, &path, "application/json", &body).await?)?;
    if json {
        return say_json(&answer);
    }
    let said: Attestation =
        serde_json::from_value(answer).context("the API answers something else than it was said")?;
    let until = said.at.checked_add(ATTESTATION_LIFE)?.strftime("%Y-%m-%d");
    say(format!("{id} of {code} is attested by {}, until {until}\n{in_the_report}", plain(&said.by)))
}

/// Checks that a check can be attested in a stage. Otherwise fails with the checks that can be.
fn is_attestable(id: &str, stage: Stage) -> anyhow::Result<()> {
    let why = match check(id) {
        Some(check) if check.is_attestable && check.step.is_in(stage) => return Ok(()),
        Some(check) if check.is_attestable => format!("is of another stage, and no report of {stage} has it"),
        Some(_) => "is looked at by the auditor, and nobody's word does for it".to_owned(),
        None => "is no check".to_owned(),
    };
    let texts = texts(Language::English);
    let those = CHECKS.iter().filter(|check| check.is_attestable && check.step.is_in(stage));
    let those = those.map(|check| format!("\n  {:<36}{}", check.id, texts.say(&check.message())));
    bail!("{id} {why}. Those that can be attested:{}", those.collect::<String>())
}
