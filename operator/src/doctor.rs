//! Checks everything that an operator needs: the credentials, the stack, and the permissions. It checks once, and
//! changes nothing.

mod checks;
mod judge;

use anyhow::ensure;
use clap::Args;
use serde::Serialize;

use crate::print::{Progress, Table, say, say_json};
use crate::stack::StackArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    stack: StackArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The result of one check.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    check: &'static str,
    result: Verdict,
    message: String,
    /// The advice on how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<String>,
    /// The permission that the check needs.
    #[serde(skip)]
    needs: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    NotOk,
    CouldNotCheck,
}

impl Line {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, result: Verdict::Ok, message: message.into(), remediation: None, needs: None }
    }

    fn not_ok(check: &'static str, message: impl Into<String>, remediation: impl Into<String>) -> Self {
        Self { result: Verdict::NotOk, remediation: Some(remediation.into()), ..Self::ok(check, message) }
    }

    fn could_not_check(check: &'static str, reason: impl Into<String>) -> Self {
        Self { result: Verdict::CouldNotCheck, ..Self::ok(check, reason) }
    }

    fn needing(self, permission: &'static str) -> Self {
        Self { needs: Some(permission), ..self }
    }
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotOk => "not ok",
            Self::CouldNotCheck => "could not check",
        }
    }
}

pub(crate) async fn run(Arguments { stack, json }: &Arguments) -> anyhow::Result<()> {
    let mut progress = Progress::begin();
    let lines = checks::all(stack, &mut progress).await;
    drop(progress);
    if *json {
        say_json(&lines)?;
    } else {
        let mut table = Table::of(&["RESULT", "CHECK", "MESSAGE"]);
        for Line { check, result, message, .. } in &lines {
            table.row([result.text().to_owned(), (*check).to_owned(), message.clone()]);
        }
        say(table)?;
        for Line { check, remediation, .. } in &lines {
            if let Some(remediation) = remediation {
                say(format!("\nTo fix {check}: {remediation}"))?;
            }
        }
    }
    let failed = lines.iter().filter(|line| line.result == Verdict::NotOk).count();
    let have = if failed == 1 { "has" } else { "have" };
    ensure!(failed == 0, "{failed} of {} checks {have} failed", lines.len());
    Ok(())
}
