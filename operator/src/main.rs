//! `stallkeeper`: the command for who runs a stack.

mod listing;
mod stack;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs a stack of Stallkeeper.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is sold: the described listings, and those that a stack has.
    #[command(subcommand)]
    Listing(listing::Command),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Listing(command) => listing::run(command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What went wrong and why, in a line; as `Debug` it would bring its backtrace along.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
