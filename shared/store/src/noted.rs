//! The notes of evidence that this process has written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The time after which a note is tried again that was not written, or whose write was not confirmed.
const RETRY_DELAY: SignedDuration = SignedDuration::from_mins(1);

/// The notes of this process.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted(Arc<Mutex<HashMap<String, Note>>>);

/// The note at a key, and the time until which it need not be written again.
#[derive(Debug, Clone, Copy)]
struct Note {
    value: bool,
    until: Timestamp,
}

impl Noted {
    /// Reserves the write of a note at a key. Returns `false` if the same note was reserved or written there, and is
    /// still valid.
    pub(super) fn reserve(&self, at: &str, value: bool, now: Timestamp) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(at).is_some_and(|note| note.value == value && now < note.until) {
            return false;
        }
        noted.insert(at.to_owned(), Note { value, until: now.saturating_add(RETRY_DELAY).unwrap_or(Timestamp::MAX) });
        true
    }

    /// Marks a note as written, unless another note replaced it meanwhile.
    pub(super) fn done(&self, at: &str, value: bool, until: Timestamp) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(note) = noted.get_mut(at).filter(|note| note.value == value) {
            note.until = until;
        }
    }
}
