//! Keeping other processes out of a folder.

use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// The file that is locked; the system lets go of it however the process ends, so one left behind means nothing.
const NAME: &str = ".lock";

/// A folder that this process alone works in while the value lives.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Locks `folder`, which is created where it is missing.
    ///
    /// # Errors
    /// [`Error::Busy`] when another run or sweep works there, in this process or another.
    pub fn take(folder: &Path) -> Result<FolderLock> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(NAME);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.into() }),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", &path)(e)),
        }
    }

    /// Whether a run or sweep works in `folder`.
    pub fn is_taken(folder: &Path) -> bool {
        File::open(folder.join(NAME)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!FolderLock::is_taken(folder.path()));
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(FolderLock::is_taken(folder.path()));
        assert!(FolderLock::take(folder.path()).unwrap_err().to_string().contains("in use"));
        drop(lock);
        FolderLock::take(folder.path()).unwrap();
    }
}
