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
    says: String,
    /// The advice on how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
    /// The permission that the check needs.
    #[serde(skip)]
    needs: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    NotOk,
    CouldNotLook,
}

impl Line {
    fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, result: Verdict::Ok, says: says.into(), mend: None, needs: None }
    }

    fn not_ok(check: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { result: Verdict::NotOk, mend: Some(mend.into()), ..Self::ok(check, says) }
    }

    fn could_not_look(check: &'static str, why: impl Into<String>) -> Self {
        Self { result: Verdict::CouldNotLook, ..Self::ok(check, why) }
    }

    fn needing(self, permission: &'static str) -> Self {
        Self { needs: Some(permission), ..self }
    }
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotOk => "not ok",
            Self::CouldNotLook => "could not look",
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
        let mut table = Table::of(&["RESULT", "OF", "WHAT IS THERE"]);
        for Line { check, result, says, .. } in &lines {
            table.row([result.words().to_owned(), (*check).to_owned(), says.clone()]);
        }
        say(table)?;
        for Line { check, mend, .. } in &lines {
            if let Some(mend) = mend {
                say(format!("\nto mend {check}: {mend}"))?;
            }
        }
    }
    let wrong = lines.iter().filter(|line| line.result == Verdict::NotOk).count();
    let are = if wrong == 1 { "is" } else { "are" };
    ensure!(wrong == 0, "{wrong} of {} {are} not ok", lines.len());
    Ok(())
}
