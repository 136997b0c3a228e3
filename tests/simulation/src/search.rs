//! A search through many seeds, which can be stopped and resumed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::SeedResult;
use crate::tally::{Tally, add};

/// The progress of a search. It is written to a file after each seed, if the search has one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Search {
    /// The first seed.
    pub from: u64,
    /// The seed after the last.
    pub end: u64,
    /// The first seed that is not finished. Later ones may be finished.
    next: u64,
    /// The finished seeds after `next`.
    finished: BTreeSet<u64>,
    /// The seeds that are being run.
    #[serde(skip)]
    under_way: BTreeSet<u64>,
    /// The counts of all seeds together.
    pub tally: Tally,
    /// The seeds that differ, with their differences.
    pub differences: Vec<(u64, String)>,
    /// `true` if no more seeds are taken.
    #[serde(skip)]
    is_stopped: bool,
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Search {
    /// Starts a search, or resumes the search of the file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or belongs to a search through other seeds.
    pub fn begin(from: u64, seeds: u64, file: Option<&Path>) -> io::Result<Self> {
        let end = from + seeds;
        if let Some(file) = file.filter(|file| file.exists()) {
            let known: Self = serde_json::from_slice(&fs::read(file)?)?;
            if (known.from, known.end) != (from, end) {
                let what = format!("{} is of seeds {} to {}", file.display(), known.from, known.end - 1);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            return Ok(Self { file: Some(file.to_owned()), ..known });
        }
        let file = file.map(Path::to_owned);
        Ok(Self {
            from,
            end,
            next: from,
            finished: BTreeSet::new(),
            under_way: BTreeSet::new(),
            tally: Tally::default(),
            differences: Vec::new(),
            is_stopped: false,
            file,
        })
    }

    /// Takes the next seed to run. Returns `None` if none is left or the search was stopped.
    pub fn take(&mut self) -> Option<u64> {
        let is_free = |seed: &u64| !self.finished.contains(seed) && !self.under_way.contains(seed);
        let seed = (self.next..self.end).find(is_free).filter(|_| !self.is_stopped)?;
        self.under_way.insert(seed);
        Some(seed)
    }

    /// Stops the search: no more seeds are taken.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Records the result of a seed.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn note(&mut self, result: &SeedResult) -> io::Result<()> {
        self.tally.merge(&result.tally);
        add(&mut self.tally.counts, "seeds", 1);
        self.differences.extend(result.differences.iter().map(|difference| (result.seed, difference.what.clone())));
        self.under_way.remove(&result.seed);
        self.finished.insert(result.seed);
        while self.finished.remove(&self.next) {
            self.next += 1;
        }
        let Some(file) = &self.file else { return Ok(()) };
        let written = file.with_extension("part");
        fs::write(&written, serde_json::to_vec(self)?)?;
        fs::rename(written, file)
    }

    /// Returns the seeds that differ.
    pub fn failed(&self) -> BTreeSet<u64> {
        self.differences.iter().map(|(seed, _)| *seed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed_result(seed: u64) -> SeedResult {
        SeedResult { seed, differences: Vec::new(), tally: Tally::default(), digest: 0, log: None }
    }

    #[test]
    fn a_stopped_search_resumes_with_the_remaining_seeds() {
        let file = std::env::temp_dir().join(format!("search-{}.json", std::process::id()));
        let mut search = Search::begin(1, 4, Some(&file)).unwrap();
        assert_eq!((search.take(), search.take(), search.take()), (Some(1), Some(2), Some(3)));
        search.note(&seed_result(1)).unwrap();
        search.note(&seed_result(3)).unwrap();
        let mut resumed = Search::begin(1, 4, Some(&file)).unwrap();
        assert_eq!((resumed.take(), resumed.take(), resumed.take()), (Some(2), Some(4), None));
        assert!(Search::begin(2, 4, Some(&file)).is_err());
        std::fs::remove_file(file).unwrap();
    }
}
