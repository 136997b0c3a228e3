//! Everything that is logged while the tests run is looked through for what must never stand in a log: registration
//! tokens, cookies, codes of handoffs, and mail addresses.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

/// How many of a secret's bytes it is found by. None is shorter.
const HEAD: usize = 8;

/// What buyers' addresses end in, in every test.
const ADDRESSES: &str = "@example.com";

/// By their first bytes: there are thousands, and every line is looked through for each.
static SECRETS: LazyLock<Mutex<HashMap<[u8; HEAD], Vec<String>>>> = LazyLock::new(Mutex::default);
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
    let head = text.as_bytes().first_chunk().expect("a secret that short cannot be told from other words");
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    let alike = secrets.entry(*head).or_default();
    if !alike.iter().any(|secret| secret == text) {
        alike.push(text.to_owned());
    }
}

fn holds_a_secret(line: &str) -> bool {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    let rests = (0..line.len()).map(|start| line.as_bytes().get(start..).unwrap_or_default());
    let found = |rest: &[u8]| {
        let alike = rest.first_chunk::<HEAD>().and_then(|head| secrets.get(head));
        alike.is_some_and(|alike| alike.iter().any(|secret| rest.starts_with(secret.as_bytes())))
    };
    line.contains(ADDRESSES) || rests.into_iter().any(found)
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
        if holds_a_secret(&line) {
            LEAKED.lock().unwrap_or_else(PoisonError::into_inner).push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
