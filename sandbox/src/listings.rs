//! The listings that the sandbox sells, and their source.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use domain::listing::Listing;

/// The source of the listings.
#[derive(Debug, Clone, Default)]
pub enum Listings {
    /// The demo listings of the workspace, built into the program.
    #[default]
    Demo,
    /// Every `*.toml` of a folder.
    Folder(PathBuf),
    /// The given listings.
    These(Vec<DescribedListing>),
}

/// A listing, and the name of the file that describes it.
#[derive(Debug, Clone)]
pub struct DescribedListing {
    /// The file's name without its `.toml`.
    pub file: String,
    /// The listing that it describes.
    pub listing: Listing,
}

const DEMO: [(&str, &str); 5] = [
    ("demo-contract", include_str!("../../listings/demo-contract.toml")),
    ("demo-subscription", include_str!("../../listings/demo-subscription.toml")),
    ("demo-consumption", include_str!("../../listings/demo-consumption.toml")),
    ("demo-legacy", include_str!("../../listings/demo-legacy.toml")),
    ("demo-production", include_str!("../../listings/demo-production.toml")),
];

impl Listings {
    /// Reads the listings; those of a folder in the order of their file names.
    ///
    /// # Errors
    ///
    /// Fails when a folder cannot be read or holds no listing, and for a file that is not a listing, with the line.
    pub(crate) fn load(self) -> anyhow::Result<Vec<DescribedListing>> {
        match self {
            Self::Demo => DEMO.iter().map(|(file, text)| described(file, text)).collect(),
            Self::Folder(folder) => read_folder(&folder),
            Self::These(listings) => Ok(listings),
        }
    }
}

fn read_folder(folder: &Path) -> anyhow::Result<Vec<DescribedListing>> {
    let unreadable = || format!("the folder {} cannot be read", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        bail!("the folder {} holds no listing (*.toml)", folder.display());
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            let file = path.file_stem().unwrap_or_default().to_string_lossy();
            described(&file, &text)
        })
        .collect()
}

fn described(file: &str, text: &str) -> anyhow::Result<DescribedListing> {
    let listing = Listing::parse(text).with_context(|| format!("{file}.toml"))?;
    Ok(DescribedListing { file: file.to_owned(), listing })
}

/// Finds a listing by its product code, product id, file or name.
pub(crate) fn find<'a>(listings: &'a [DescribedListing], text: &str) -> Option<&'a DescribedListing> {
    let is_meant = |described: &&DescribedListing| {
        let listing = &described.listing;
        listing.product_code.as_str() == text
            || listing.product_id.as_str() == text
            || described.file == text
            || listing.name.eq_ignore_ascii_case(text)
    };
    listings.iter().find(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listing_of_the_workspace_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../listings");
        let mut in_folder: Vec<String> =
            Listings::Folder(folder).load().unwrap().into_iter().map(|listing| listing.file).collect();
        let mut built_in: Vec<String> =
            Listings::Demo.load().unwrap().into_iter().map(|listing| listing.file).collect();
        in_folder.sort();
        built_in.sort();
        assert_eq!(in_folder, built_in);
    }

    #[test]
    fn a_listing_is_found_by_code_id_file_and_name() {
        let listings = Listings::Demo.load().unwrap();
        for text in ["4democontract0000000000ab", "prod-democontract01", "demo-contract", "demo contract"] {
            assert_eq!(find(&listings, text).unwrap().file, "demo-contract", "{text}");
        }
        assert!(find(&listings, "demo").is_none());
    }
}
