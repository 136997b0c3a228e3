//! Listings: described in files, loaded into a stack's table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use stallkeeper::ids::ProductCode;
use stallkeeper::listing::{Listing, Stage};

use crate::catalog;
use crate::sheet;
use crate::stack::{StackArguments, TableArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads described listings, and says what is wrong with them.
    Check(Files),
    /// Loads described listings into a stack: it acts on these products from then on. The same again changes nothing.
    Push {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        stack: TableArguments,
        /// Says it for programs.
        #[arg(long)]
        json: bool,
    },
    /// Writes out what is to be typed into the AWS Marketplace Management Portal for described listings, with the
    /// addresses of their stack.
    Sheet {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        stack: StackArguments,
        /// Says it for programs.
        #[arg(long)]
        json: bool,
    },
    /// Compares what AWS Marketplace shows of a listing with what is described, and says what differs.
    Plan(catalog::Which),
    /// Sends AWS Marketplace what differs, after showing it, and follows that to its end.
    Apply {
        #[command(flatten)]
        which: catalog::Which,
        /// Sends it without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Shows the listings that a stack has.
    Show {
        #[command(flatten)]
        stack: TableArguments,
        /// Says it for programs.
        #[arg(long)]
        json: bool,
    },
}

/// Described listings.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// A file of a listing (TOML; listings/README.md says what it holds).
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What became of a listing.
#[derive(Debug, Serialize)]
struct Pushed {
    product_code: ProductCode,
    name: String,
    became: &'static str,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check(files) => {
            for listing in files.read()? {
                println!("{} {}: fine, for {}", listing.product_code, listing.name, listing.stage);
            }
            Ok(())
        }
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
    /// All of them, or what is wrong with each that is none.
    fn read(&self) -> anyhow::Result<Vec<Listing>> {
        let (mut listings, mut wrong) = (Vec::new(), Vec::new());
        for file in &self.files {
            let name = file.display();
            let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
            match Listing::parse(&text) {
                Ok(listing) => listings.push(listing),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        let mut seen = BTreeMap::new();
        for (listing, file) in listings.iter().zip(&self.files) {
            if let Some(other) = seen.insert(&listing.product_code, file) {
                bail!("{} and {} are of one product, {}", other.display(), file.display(), listing.product_code);
            }
        }
        Ok(listings)
    }
}

/// Whether all of them are the stage's.
fn of_stage(listings: &[Listing], wanted: Stage) -> anyhow::Result<()> {
    for Listing { name, stage, .. } in listings {
        ensure!(*stage == wanted, "{name} is described for {stage}, not for {wanted}: nothing was done");
    }
    Ok(())
}

/// Loads listings, once all of them are known to be the stage's.
async fn push(listings: &[Listing], stack: &TableArguments, json: bool) -> anyhow::Result<()> {
    of_stage(listings, stack.stage())?;
    let store = stack.store().await?;
    let mut known: BTreeMap<ProductCode, Listing> = BTreeMap::new();
    for listing in store.all_listings().await? {
        known.insert(listing.product_code.clone(), listing);
    }
    let mut pushed = Vec::new();
    for listing in listings {
        let became = match known.get(&listing.product_code) {
            Some(known) if known == listing => "unchanged",
            Some(_) => "changed",
            None => "added",
        };
        if became != "unchanged" {
            store.put_listing(listing).await?;
        }
        pushed.push(Pushed { product_code: listing.product_code.clone(), name: listing.name.clone(), became });
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&pushed)?);
    } else {
        for Pushed { product_code, name, became } in &pushed {
            println!("{became:<9}  {product_code}  {name}");
        }
    }
    Ok(())
}

async fn show(stack: &TableArguments, json: bool) -> anyhow::Result<()> {
    let listings = stack.store().await?.all_listings().await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&listings)?);
    } else if listings.is_empty() {
        println!("the stack has no listing; load one by `stallkeeper listing push`");
    } else {
        for listing in &listings {
            println!("{}  {}  {}", listing.product_code, listing.product_id, listing.name);
        }
    }
    Ok(())
}
