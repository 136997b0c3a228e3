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
    /// The id of the check, as `stallkeeper readiness` lists it: app.no_payment_data.
    check: String,
    /// Describe what you checked; the report shows the note.
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
    let has_content = note.as_ref().is_none_or(|note| note.contains(char::is_alphanumeric));
    ensure!(has_content, "--note must describe what you checked, because the report shows it");
    let api = product.api.api().await?;
    let code = product.product(&api).await?;
    let path = format!("/v1/readiness/attestations/{}", encoded(&id));
    let next_run = format!("The next audit run reports it: {}", product.refresh_command(&code));
    if withdraw {
        let path = format!("{path}?product={}", encoded(&code));
        let answer = api.ask(Method::DELETE, &path, "application/json", "").await?;
        if !answer.status.is_success() {
            return Err(api.refusal(&answer));
        }
        return match json {
            true => say_json(&json!({ "product": code, "check": id, "attested": false })),
            false => say(format!("The attestation of {id} of {code} is withdrawn.\n{next_run}")),
        };
    }
    let body = json!({ "product": code, "note": note.unwrap_or_default() }).to_string();
    let answer = api.read(api.ask(Method::PUT, &path, "application/json", &body).await?)?;
    if json {
        return say_json(&answer);
    }
    let attestation: Attestation =
        serde_json::from_value(answer).context("the API does not answer with the attestation")?;
    let until = attestation.at.checked_add(ATTESTATION_LIFE)?.strftime("%Y-%m-%d");
    say(format!("{id} of {code} is attested by {} until {until}.\n{next_run}", plain(&attestation.by)))
}

/// Checks that a check can be attested in a stage. Otherwise fails with the checks that can be.
fn is_attestable(id: &str, stage: Stage) -> anyhow::Result<()> {
    let reason = match check(id) {
        Some(check) if check.is_attestable && check.step.is_in(stage) => return Ok(()),
        Some(check) if check.is_attestable => {
            format!("belongs to another stage, so the reports of {stage} do not have it")
        }
        Some(_) => "is checked by the auditor and cannot be attested".to_owned(),
        None => "is not a check".to_owned(),
    };
    let texts = texts(Language::English);
    let attestable = CHECKS.iter().filter(|check| check.is_attestable && check.step.is_in(stage));
    let attestable = attestable.map(|check| format!("\n  {:<36}{}", check.id, texts.say(&check.message())));
    bail!("{id} {reason}. The checks that can be attested:{}", attestable.collect::<String>())
}
