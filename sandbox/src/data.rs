//! The file in which a sandbox keeps its tables: only one sandbox at a time uses it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};

/// The lock of a file, held until it is dropped or the process ends.
///
/// The lock is on a separate file beside it, because the database locks parts of its file itself, for a moment at a
/// time.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Locks a file, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// Fails when another sandbox uses the file, or it cannot be written.
    pub(crate) fn of(data: &Path) -> anyhow::Result<Self> {
        let name = data.display();
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        open(data).with_context(|| format!("{name} cannot be opened as a database"))?;
        // The canonical path, so that a symbolic link leads to the same lock.
        let mut beside = data.canonicalize().with_context(|| format!("{name} cannot be found"))?.into_os_string();
        beside.push(".lock");
        let path = Path::new(&beside);
        let file = open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("{name} is in use by another sandbox: stop that one, or name another file with --data")
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }
}
