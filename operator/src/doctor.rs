//! Checks everything that an operator needs: the credentials, the stack, and the permissions. It checks once, and
//! changes nothing.

mod checks;
mod judge;
mod line;

use anyhow::ensure;
use clap::Args;

use crate::print::{Progress, Table, say, say_json};
use crate::stack::StackArguments;
use line::{Line, Verdict};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    stack: StackArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
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
