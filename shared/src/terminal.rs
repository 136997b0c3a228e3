//! What programs say to whoever started them: results on stdout, notes on stderr.
//!
//! `println!` and `eprintln!` panic when nobody reads any more, as behind `| head`. Programs of this workspace write here
//! instead; the lints of `operator` and `sandbox` refuse the others.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// The exit code of a program whose reader has gone: what a shell shows of one that SIGPIPE has ended.
pub const READER_GONE: u8 = 141;

/// Nobody reads stdout any more, which is no failure: who closed it has read enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct ReaderGone;

/// Why something could not be said.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// The program ends without a word, with the code [`READER_GONE`].
    #[error(transparent)]
    ReaderGone(#[from] ReaderGone),
    /// The disk that stdout goes to is full, or the like.
    #[error("the output cannot be written")]
    Failed(#[source] io::Error),
}

/// Writes a line to stdout.
///
/// # Errors
///
/// When nobody reads it any more, or it cannot be written.
pub fn say(text: impl Display) -> Result<(), SayError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => ReaderGone.into(),
        _ => SayError::Failed(error),
    })
}

/// Writes to stderr, without ending the line. One that nobody reads holds up nothing.
pub fn note(text: impl Display) {
    let mut out = io::stderr().lock();
    // There is nowhere left to say that it failed.
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Writes a line to stderr. One that nobody reads holds up nothing.
pub fn note_line(text: impl Display) {
    note(format_args!("{text}\n"));
}

/// Returns `true` if an error comes from nothing but that nobody reads stdout any more.
pub fn is_reader_gone(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| cause.is::<ReaderGone>() || matches!(cause.downcast_ref(), Some(SayError::ReaderGone(_))))
}
