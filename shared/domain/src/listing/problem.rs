//! Problems in a described listing, and their location in its file.

use toml::de::DeTable;
use url::Url;

/// A step of the path to a part of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The field of this name.
    Field(&'static str),
    /// The item at this index, from 0.
    Item(usize),
}

/// A problem, and the part of the listing that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    at: Vec<Step>,
    /// The problem, and what would be correct.
    pub(super) what: String,
}

impl Problem {
    /// Creates a problem with the part at a path.
    pub(super) fn at(steps: impl Into<Vec<Step>>, what: impl Into<String>) -> Self {
        Self { at: steps.into(), what: what.into() }
    }

    /// Creates a problem with a field.
    pub(super) fn of(field: &'static str, what: impl Into<String>) -> Self {
        Self::at([Step::Field(field)], what)
    }

    /// Creates a problem with the first URL of a table that is not https.
    pub(super) fn of_https<'a>(
        table: &str,
        urls: impl IntoIterator<Item = (&'static str, Option<&'a Url>)>,
    ) -> Option<Self> {
        let (field, _) = urls.into_iter().find(|(_, url)| url.is_some_and(|url| url.scheme() != "https"))?;
        Some(Self::of(field, format!("`{table}.{field}` must begin with https://")))
    }

    /// Returns the same problem, with `steps` before its path.
    #[must_use]
    pub(super) fn within(mut self, steps: &[Step]) -> Self {
        self.at.splice(..0, steps.iter().copied());
        self
    }

    /// Returns the offset in bytes at which the part starts in the listing's file; if the file does not have the part,
    /// that of the innermost part that would contain it.
    pub(super) fn offset(&self, file: &str) -> Option<usize> {
        let file = DeTable::parse(file).ok()?;
        let (mut table, mut array, mut offset) = (Some(file.get_ref()), None, None);
        for step in &self.at {
            let part = match *step {
                Step::Field(name) => table.and_then(|table| table.get(name)),
                Step::Item(number) => array.and_then(|array: &toml::de::DeArray<'_>| array.get(number)),
            };
            let Some(part) = part else { break };
            (table, array) = (part.get_ref().as_table(), part.get_ref().as_array());
            offset = Some(part.span().start);
        }
        offset
    }
}
