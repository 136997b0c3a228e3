//! The file that a sandbox keeps its tables in: one sandbox at a time has it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};

/// The lock of a file, until it is dropped or the process ends.
///
/// It is on a file of its own beside it, since the database locks parts of its file itself, for a moment at a time.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Locks a file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When another sandbox has it, or it cannot be written.
    pub(crate) fn of(data: &Path) -> anyhow::Result<Self> {
        let name = data.display();
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        open(data).with_context(|| format!("{name} cannot be opened as a database"))?;
        // Whatever it is called: a link leads to the same lock.
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
