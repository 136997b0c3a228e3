//! The limit of a body, and the reasons why one cannot be read.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};

/// The largest body that is read, in bytes. A body of exactly this size is read.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The reason why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body is longer than [`MAX_BODY_BYTES`].
    #[error("the body is larger than 1 MiB, which is {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The body breaks off.
    #[error("the body is incomplete")]
    Incomplete,
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 text")]
    NotText,
    /// The body has another content type than the path takes.
    #[error("the body must be {0}")]
    WrongType(&'static str),
}

impl From<BytesRejection> for BodyError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Self::TooLarge,
            _ => Self::Incomplete,
        }
    }
}
