//! What is wrong with a described listing, and where in its file.

use toml::de::DeTable;
use url::Url;

/// One step into what is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To the field of that name.
    Field(&'static str),
    /// To the item that stands there, from 0.
    Item(usize),
}

/// What is wrong, and with which part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    at: Vec<Step>,
    /// What is wrong and what would be right.
    pub(super) what: String,
}

impl Problem {
    /// Something wrong with the part that these steps lead to.
    pub(super) fn at(steps: impl Into<Vec<Step>>, what: impl Into<String>) -> Self {
        Self { at: steps.into(), what: what.into() }
    }

    /// Something wrong with a field.
    pub(super) fn of(field: &'static str, what: impl Into<String>) -> Self {
        Self::at([Step::Field(field)], what)
    }

    /// The first of a table's URLs that is not of https.
    pub(super) fn of_https<'a>(
        table: &str,
        urls: impl IntoIterator<Item = (&'static str, Option<&'a Url>)>,
    ) -> Option<Self> {
        let (field, _) = urls.into_iter().find(|(_, url)| url.is_some_and(|url| url.scheme() != "https"))?;
        Some(Self::of(field, format!("`{table}.{field}` must begin with https://")))
    }

    /// The same, of what these steps lead to.
    #[must_use]
    pub(super) fn within(mut self, steps: &[Step]) -> Self {
        self.at.splice(..0, steps.iter().copied());
        self
    }

    /// Where the part begins in the listing's file, in bytes; where it is not written, what it would be in.
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
