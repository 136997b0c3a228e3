//! Everything that is logged while the tests run is looked through for what must never stand in a log: registration
//! tokens, cookies, codes of handoffs, and mail addresses.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

/// How many of a secret's bytes it is found by. None is shorter.
const HEAD: usize = 8;

/// How many places there are for beginnings of secrets.
const PLACES: usize = 1 << 20;

/// What buyers' addresses end in, in every test.
const ADDRESSES: &str = "@example.com";

static SECRETS: LazyLock<Mutex<Secrets>> = LazyLock::new(Mutex::default);
static LEAKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// There are thousands, and every line is looked through for each, in a program that is not optimised.
struct Secrets {
    /// Whether any begins with three bytes of that place: what most of a line is passed over by.
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

/// A text that must not be logged, as it is or encoded for a form.
pub fn keep_secret(text: &str) {
    keep_secret_as_it_is(text);
    keep_secret_as_it_is(&form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
}

fn keep_secret_as_it_is(text: &str) {
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
