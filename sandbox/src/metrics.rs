//! A stack's metrics: the documents that its functions write for CloudWatch, read as CloudWatch reads them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

/// The metrics of a stack in CloudWatch. Clones share them; the functions write to them.
#[derive(Debug, Clone, Default)]
pub(crate) struct CloudWatch(Arc<Mutex<Received>>);

/// The metrics of a stack so far, and their dimensions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Received {
    /// The sum of each metric's values.
    pub sums: BTreeMap<String, f64>,
    /// The newest value of each metric.
    pub newest: BTreeMap<String, f64>,
    /// The dimensions of the newest values.
    pub dimensions: BTreeMap<String, String>,
    /// The number of documents that CloudWatch could not have read.
    pub unreadable: usize,
}

impl CloudWatch {
    pub(crate) fn received(&self) -> Received {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for CloudWatch {
    /// Reads one line, which is one document.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut received = self.lock();
        match serde_json::from_slice(line).ok().and_then(|document| read(&document)) {
            Some(Document { dimensions, values }) => {
                received.dimensions = dimensions;
                for (name, value) in values {
                    *received.sums.entry(name.clone()).or_default() += value;
                    received.newest.insert(name, value);
                }
            }
            None => received.unreadable += 1,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Document {
    dimensions: BTreeMap<String, String>,
    values: BTreeMap<String, f64>,
}

/// Reads a document of the embedded metric format: each metric and each dimension that it declares is a member of it
/// (CloudWatch user guide, Embedded metric format specification).
fn read(document: &Value) -> Option<Document> {
    document.pointer("/_aws/Timestamp")?.as_i64()?;
    let directive = document.pointer("/_aws/CloudWatchMetrics/0")?;
    directive.get("Namespace")?.as_str()?;
    let dimensions = directive.pointer("/Dimensions/0")?.as_array()?.iter().map(|name| {
        let name = name.as_str()?;
        Some((name.to_owned(), document.get(name)?.as_str()?.to_owned()))
    });
    let values = directive.get("Metrics")?.as_array()?.iter().map(|metric| {
        let name = metric.get("Name")?.as_str()?;
        Some((name.to_owned(), document.get(name)?.as_f64()?))
    });
    Some(Document { dimensions: dimensions.collect::<Option<_>>()?, values: values.collect::<Option<_>>()? })
}
