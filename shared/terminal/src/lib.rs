//! The output of programs for their caller: results on stdout, notes on stderr.
//!
//! `println!` and `eprintln!` panic when the reader has closed the output, as `| head` does. The programs of this
//! workspace write here instead; the lints of `operator` and `sandbox` refuse those macros.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// The exit code of a program whose reader has closed stdout: a shell shows it for a program that SIGPIPE has ended.
pub const READER_GONE: u8 = 141;

/// The reader has closed stdout, which is no failure: it has read enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader of the output is gone")]
pub struct ReaderGone;

/// The reason why a line could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// The reader has closed stdout; the program ends without a message, with the code [`READER_GONE`].
    #[error(transparent)]
    ReaderGone(#[from] ReaderGone),
    /// Writing failed for another reason, for example because the disk is full.
    #[error("the output cannot be written")]
    Failed(#[source] io::Error),
}

/// Writes a line to stdout.
///
/// # Errors
///
/// Fails when the reader has closed stdout, or when it cannot be written.
pub fn say(text: impl Display) -> Result<(), SayError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => ReaderGone.into(),
        _ => SayError::Failed(error),
    })
}

/// Writes to stderr, without ending the line. Errors are ignored, so a closed stderr does not stop the program.
pub fn note(text: impl Display) {
    let mut out = io::stderr().lock();
    // There is no other output on which to report the error.
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Writes a line to stderr. Errors are ignored, so a closed stderr does not stop the program.
pub fn note_line(text: impl Display) {
    note(format_args!("{text}\n"));
}

/// Returns `true` if an error only reports that the reader has closed stdout.
pub fn is_reader_gone(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| cause.is::<ReaderGone>() || matches!(cause.downcast_ref(), Some(SayError::ReaderGone(_))))
}
