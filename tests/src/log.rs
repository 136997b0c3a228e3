//! Everything that is logged while the tests run is looked through for what must never stand in a log: registration
//! tokens, cookies, codes of handoffs, and mail addresses.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

/// What buyers' addresses end in, in every test.
const ADDRESSES: &str = "@example.com";

static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static LEAKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on everything that is logged in this process is looked through.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // As much as the functions log when they are deployed, and all of our own.
        let filter = "info,stallkeeper=trace,registration=trace,subscription=trace,entitlement=trace,usage=trace,\
                      metering=trace,notifier=trace,mailer=trace,sample_app=trace";
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| Watcher).init();
    });
}

/// A text that must not be logged.
pub fn keep_secret(text: &str) {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
}

/// The lines that say what they must not, since this was last asked.
pub fn leaked() -> Vec<String> {
    std::mem::take(&mut *LEAKED.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Watcher;

impl Write for Watcher {
    /// Is given a line at a time.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
        if line.contains(ADDRESSES) || secrets.iter().any(|secret| line.contains(secret.as_str())) {
            LEAKED.lock().unwrap_or_else(PoisonError::into_inner).push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
