//! A buyer arrives with a code.

use std::io::{Write, stderr, stdin};

use anyhow::{Context, anyhow, bail};
use http::Method;
use serde_json::{Value, json};

use crate::stallkeeper::{Failure, Stallkeeper};

pub(crate) async fn run(stallkeeper: &Stallkeeper, tenant: &str) -> anyhow::Result<()> {
    let code = std::env::var("CODE").context("CODE is not set")?;
    // Generated once and kept with the visitor's session, so that a lost answer is repeated.
    let key = format!("{:032x}", fastrand::u128(..));
    let handoff = redeem(stallkeeper, &code, &key).await.map_err(explained)?;
    let text = |name| handoff.get(name).and_then(Value::as_str);
    let account = text("account").or(text("customer_identifier")).context("the code belongs to no purchase")?;
    if !is_confirmed(account)? {
        bail!("Then this purchase is not yours.");
    }
    let license = text("license").context("there is no license in the answer")?;
    link(stallkeeper, license, tenant).await.map_err(explained)?;
    println!("{license}");
    Ok(())
}

async fn redeem(stallkeeper: &Stallkeeper, code: &str, key: &str) -> Result<Value, Failure> {
    stallkeeper.call(Method::POST, "/v1/handoffs", &[("idempotency-key", key)], &json!({ "code": code })).await
}

async fn link(stallkeeper: &Stallkeeper, license: &str, tenant: &str) -> Result<Value, Failure> {
    let path = format!("/v1/licenses/{license}/tenant");
    stallkeeper.call(Method::PUT, &path, &[], &json!({ "tenant": tenant })).await
}

fn is_confirmed(account: &str) -> anyhow::Result<bool> {
    let end: String = account.chars().skip(account.chars().count().saturating_sub(4)).collect();
    write!(stderr(), "Is ********{end} your AWS account? [y/n] ")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "y")
}

fn explained(failure: Failure) -> anyhow::Error {
    let code = match &failure {
        Failure::Problem(problem) => problem.code.as_str(),
        Failure::Unavailable(_) => "",
    };
    match code {
        "handoff_gone" => anyhow!("Choose “Set up your account” on AWS Marketplace again."),
        "license_linked_elsewhere" => {
            anyhow!("This purchase belongs to another account of ours. Sign in there.")
        }
        _ => failure.into(),
    }
}
