//! Listings: described in files, loaded into a stack's table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use domain::ids::ProductCode;
use domain::listing::{Listing, ListingError, Stage};
use serde::Serialize;

use crate::print::{Table, say, say_json};
use crate::stack::{StackArguments, TableArguments};
use crate::{catalog, sheet};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check described listings, and print what is wrong with them.
    Check {
        #[command(flatten)]
        files: Files,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Load described listings into a stack, which handles these products from then on. Repeating it changes nothing.
    Push {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        stack: TableArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the values to enter into the AWS Marketplace Management Portal for described listings, with the addresses
    /// of their stack.
    Sheet {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        stack: StackArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Compare a described listing with what AWS Marketplace shows, and print the differences.
    Plan(catalog::Which),
    /// Print the differences, send them to AWS Marketplace, and follow the change sets to their end.
    Apply {
        #[command(flatten)]
        which: catalog::Which,
        /// Skip the confirmation prompt.
        #[arg(long)]
        yes: bool,
    },
    /// Show the listings that a stack has.
    Show {
        #[command(flatten)]
        stack: TableArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Described listings.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The files of listings (TOML; listings/README.md describes the format).
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// The result of checking a file: a listing, or what is wrong with it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Checked {
    Valid { file: PathBuf, product_code: ProductCode, name: String, stage: Stage },
    Invalid { file: PathBuf, line: Option<usize>, problem: String },
}

/// The result of loading a listing.
#[derive(Debug, Serialize)]
struct Pushed {
    product_code: ProductCode,
    name: String,
    status: &'static str,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check { files, json } => check(&files, json),
        Command::Push { files, stack, json } => push(&files.read()?, &stack, json).await,
        Command::Sheet { files, stack, json } => {
            let listings = files.read()?;
            of_stage(&listings, stack.stage())?;
            sheet::write(&listings, &stack, json).await
        }
        Command::Plan(which) => catalog::show_plan(&which).await,
        Command::Apply { which, yes } => catalog::apply(&which, yes).await,
        Command::Show { stack, json } => show(&stack, json).await,
    }
}

impl Files {
    /// Parses each file into a listing, or its error.
    fn parsed(&self) -> anyhow::Result<Vec<Result<Listing, ListingError>>> {
        let parsed = |file: &PathBuf| {
            let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            Ok(Listing::parse(&text))
        };
        self.files.iter().map(parsed).collect()
    }

    /// Reads all files. Fails with the error of each one that is no listing.
    fn read(&self) -> anyhow::Result<Vec<Listing>> {
        self.all_valid(self.parsed()?)
    }

    fn all_valid(&self, parsed: Vec<Result<Listing, ListingError>>) -> anyhow::Result<Vec<Listing>> {
        let (mut listings, mut errors) = (Vec::new(), Vec::new());
        for (file, parsed) in self.files.iter().zip(parsed) {
            match parsed {
                Ok(listing) => listings.push(listing),
                Err(error) => errors.push(format!("{}: {error}", file.display())),
            }
        }
        ensure!(errors.is_empty(), "{}", errors.join("\n"));
        let mut files = BTreeMap::new();
        for (listing, file) in listings.iter().zip(&self.files) {
            if let Some(other) = files.insert(&listing.product_code, file) {
                bail!("{} and {} describe the same product, {}", other.display(), file.display(), listing.product_code);
            }
        }
        Ok(listings)
    }
}

/// Prints what is wrong with files, or that nothing is.
fn check(files: &Files, json: bool) -> anyhow::Result<()> {
    let parsed = files.parsed()?;
    if json {
        let checked = files.files.iter().cloned().zip(&parsed).map(|(file, parsed)| match parsed {
            Ok(Listing { product_code, name, stage, .. }) => {
                Checked::Valid { file, product_code: product_code.clone(), name: name.clone(), stage: *stage }
            }
            Err(ListingError { line, problem }) => Checked::Invalid { file, line: *line, problem: problem.clone() },
        });
        say_json(&checked.collect::<Vec<_>>())?;
    }
    let listings = files.all_valid(parsed)?;
    for Listing { product_code, name, stage, .. } in listings.iter().filter(|_| !json) {
        say(format_args!("{name} ({product_code}) is valid, for {stage}."))?;
    }
    Ok(())
}

/// Checks that all listings are of a stage.
fn of_stage(listings: &[Listing], wanted: Stage) -> anyhow::Result<()> {
    for Listing { name, stage, .. } in listings {
        ensure!(*stage == wanted, "{name} is described for {stage}, not for {wanted}; nothing was changed");
    }
    Ok(())
}

/// Loads listings, after a check that all of them are of the stage.
async fn push(listings: &[Listing], stack: &TableArguments, json: bool) -> anyhow::Result<()> {
    of_stage(listings, stack.stage())?;
    let store = stack.store().await?;
    let mut known: BTreeMap<ProductCode, Listing> = BTreeMap::new();
    for listing in store.all_listings().await? {
        known.insert(listing.product_code.clone(), listing);
    }
    let mut pushed = Vec::new();
    for listing in listings {
        let status = match known.get(&listing.product_code) {
            Some(known) if known == listing => "unchanged",
            Some(_) => "changed",
            None => "added",
        };
        if status != "unchanged" {
            store.put_listing(listing).await?;
        }
        pushed.push(Pushed { product_code: listing.product_code.clone(), name: listing.name.clone(), status });
    }
    if json {
        return say_json(&pushed);
    }
    let mut table = Table::of(&["STATUS", "PRODUCT CODE", "NAME"]);
    for Pushed { product_code, name, status } in &pushed {
        table.row([(*status).to_owned(), product_code.to_string(), name.clone()]);
    }
    say(table)
}

async fn show(stack: &TableArguments, json: bool) -> anyhow::Result<()> {
    let listings = stack.store().await?.all_listings().await?;
    if json {
        return say_json(&listings);
    }
    if listings.is_empty() {
        return say("The stack has no listing. Load one with `stallkeeper listing push`.");
    }
    let mut table = Table::of(&["PRODUCT CODE", "PRODUCT ID", "NAME"]);
    for Listing { product_code, product_id, name, .. } in &listings {
        table.row([product_code.to_string(), product_id.to_string(), name.clone()]);
    }
    say(table)
}
