//! Searches every line that is logged during the tests for secrets: registration tokens, cookies, handoff codes, and
//! email addresses.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

/// The length of the prefix by which a secret is found, in bytes. No secret is shorter.
const HEAD: usize = 8;

/// The number of slots in which the first three bytes of secrets are hashed.
const PLACES: usize = 1 << 20;

/// The end of every buyer's address in the tests.
const ADDRESSES: &str = "@example.com";

static SECRETS: LazyLock<Mutex<Secrets>> = LazyLock::new(Mutex::default);
static LEAKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// An index of the secrets. There are thousands of them, and every line is searched for each, in an unoptimized build.
struct Secrets {
    /// For each slot, `true` if the first three bytes of a secret hash to it. This rules out most positions of a line.
    begins: Vec<bool>,
    by_head: HashMap<[u8; HEAD], Vec<String>>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { begins: vec![false; PLACES], by_head: HashMap::new() }
    }
}

fn place(first: u8, second: u8, third: u8) -> usize {
    ((usize::from(first) << 12) ^ (usize::from(second) << 6) ^ usize::from(third)) % PLACES
}

/// Starts to search everything that this process logs.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The log level of the deployed functions, and every level for the workspace's own crates.
        let filter = "info,stallkeeper=trace,registration=trace,subscription=trace,entitlement=trace,usage=trace,\
                      metering=trace,notifier=trace,mailer=trace,sample_app=trace";
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| LogWatcher).init();
    });
}

/// Registers a text that no log line may contain, as it is or encoded for a form.
pub fn keep_secret(text: &str) {
    keep_raw_secret(text);
    keep_raw_secret(&form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
}

fn keep_raw_secret(text: &str) {
    let head: &[u8; HEAD] = text.as_bytes().first_chunk().expect("a secret that short cannot be told from other words");
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.begins[place(head[0], head[1], head[2])] = true;
    let alike = secrets.by_head.entry(*head).or_default();
    if !alike.iter().any(|secret| secret == text) {
        alike.push(text.to_owned());
    }
}

fn holds_a_secret(line: &str) -> bool {
    let (secrets, bytes) = (SECRETS.lock().unwrap_or_else(PoisonError::into_inner), line.as_bytes());
    let mut start = 0;
    while start + HEAD <= bytes.len() {
        if secrets.begins[place(bytes[start], bytes[start + 1], bytes[start + 2])] {
            let rest = &bytes[start..];
            let alike = rest.first_chunk().and_then(|head| secrets.by_head.get(head));
            if alike.is_some_and(|alike| alike.iter().any(|secret| rest.starts_with(secret.as_bytes()))) {
                return true;
            }
        }
        start += 1;
    }
    line.contains(ADDRESSES)
}

/// Returns the lines with a secret or an address that were logged since the last call.
pub fn leaked() -> Vec<String> {
    std::mem::take(&mut *LEAKED.lock().unwrap_or_else(PoisonError::into_inner))
}

struct LogWatcher;

impl Write for LogWatcher {
    /// Receives one line per call.
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
