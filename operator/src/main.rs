//! `stallkeeper`: the command for operators of a stack.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod api;
mod attest;
mod catalog;
mod dlq;
mod doctor;
mod events;
mod failure;
mod lambda;
mod licenses;
mod listing;
mod print;
mod readiness;
mod sheet;
mod signed;
mod stack;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use terminal::{READER_GONE, is_reader_gone, note_line};

use crate::failure::{Failure, SIGN_IN};

/// Operate a stack of Stallkeeper.
#[derive(Debug, Parser)]
#[command(name = "stallkeeper", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Manage described listings, and the listings of a stack.
    #[command(subcommand)]
    Listing(listing::Command),
    Readiness(readiness::Arguments),
    Attest(attest::Arguments),
    /// List, show, reconcile and import licenses. Without a subcommand, list them.
    Licenses(licenses::Arguments),
    /// List usage records and problems, and send records again.
    #[command(subcommand)]
    Usage(usage::Command),
    /// Publish license events to the application again.
    #[command(subcommand)]
    Events(events::Command),
    /// Show and redrive dead letters.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Check everything that you need to operate a stack, and print how to fix problems.
    Doctor(doctor::Arguments),
    /// Print the completion script of a shell: `source <(stallkeeper completions bash)`.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Listing(command) => listing::run(command).await,
        Command::Readiness(arguments) => readiness::run(arguments).await,
        Command::Attest(arguments) => attest::run(arguments).await,
        Command::Licenses(arguments) => licenses::run(arguments).await,
        Command::Usage(command) => usage::run(command).await,
        Command::Events(command) => events::run(command).await,
        Command::Dlq(command) => dlq::run(command).await,
        Command::Doctor(arguments) => doctor::run(&arguments).await,
        Command::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_reader_gone(error.as_ref()) => READER_GONE.into(),
        Err(error) => {
            match Failure::of(error.as_ref()) {
                failure @ Failure::NoCredentials(_) => note_line(format_args!("error: {failure}: {SIGN_IN}")),
                // The error and its causes in one line; `Debug` would add the backtrace.
                _ => note_line(format_args!("error: {error:#}")),
            }
            ExitCode::FAILURE
        }
    }
}

fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "stallkeeper", &mut script);
    print::say(String::from_utf8(script)?.trim_end())
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    /// Splits a command into words as a shell does, without a comment after it.
    fn arguments(command: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (number, part) in command.split('"').enumerate() {
            match number % 2 {
                0 => words.extend(part.split_whitespace().map(ToOwned::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words.into_iter().take_while(|word| word != "#").collect()
    }

    /// Returns the commands of a page that start with `name`, in its text and in its scripts, without `name`.
    fn commands(page: &'static str, name: &'static str) -> impl Iterator<Item = &'static str> {
        let in_text = page.split('`').filter(|part| !part.contains('\n'));
        in_text.chain(page.lines()).filter_map(move |command| command.strip_prefix(name))
    }

    #[test]
    fn the_commands_of_the_operations_page_are_valid() {
        let mut checked = 0;
        let all = commands(include_str!("../../docs/OPERATIONS.md"), "keep ");
        // Placeholders are left out: a shell's substitutions, and the ellipsis.
        for command in all.filter(|command| !command.contains(['(', '…'])) {
            let typed = arguments(&format!("stallkeeper {command} --stage production"));
            let parsed = Arguments::try_parse_from(typed);
            assert!(parsed.is_ok(), "keep {command}: {}", parsed.unwrap_err());
            checked += 1;
        }
        assert!(checked >= 20, "{checked}");
    }

    #[test]
    fn the_commands_of_the_other_pages_are_valid() {
        for (page, text, at_least) in [
            ("docs/LISTING.md", include_str!("../../docs/LISTING.md"), 22),
            ("README.md", include_str!("../../README.md"), 8),
            ("listings/README.md", include_str!("../../listings/README.md"), 3),
        ] {
            let mut checked = 0;
            for command in commands(text, "stallkeeper ") {
                let typed = arguments(&format!("stallkeeper {command}"));
                match Arguments::try_parse_from(typed) {
                    Ok(_) => {}
                    // The text names a command without its arguments.
                    Err(error) if error.kind() == ErrorKind::MissingRequiredArgument && !command.contains(" --") => {}
                    Err(error) => panic!("{page}: stallkeeper {command}: {error}"),
                }
                checked += 1;
            }
            assert!(checked >= at_least, "{page}: {checked}");
        }
    }
}
