//! Keeping other processes out of a folder.

use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that is locked. The system releases the lock however the process ends, so a leftover
/// file means nothing.
const NAME: &str = ".lock";

/// How often a lock is tried, and how long apart: [`FolderLock::is_taken`] in another process holds
/// it for an instant.
const TRIES: (u32, Duration) = (5, Duration::from_millis(10));

/// A folder that this process works in while the value lives: exclusively, or shared with others.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    _file: File,
}

impl FolderLock {
    /// Locks `folder`, which is created where it is missing, and removes what killed processes left unfinished in it.
    ///
    /// # Errors
    /// [`Error::Busy`] when another run or sweep works there, in this process or another.
    pub fn take(folder: &Path) -> Result<FolderLock> {
        let lock = FolderLock::lock(folder, File::try_lock)?;
        crate::atomic::remove_unfinished(folder)?;
        Ok(lock)
    }

    /// Takes a shared lock of `folder`, which is created if it is missing.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process holds it exclusively.
    pub fn share(folder: &Path) -> Result<FolderLock> {
        FolderLock::lock(folder, File::try_lock_shared)
    }

    fn lock(
        folder: &Path,
        try_lock: fn(&File) -> std::result::Result<(), TryLockError>,
    ) -> Result<FolderLock> {
        let (path, file) = lock_file(folder, NAME)?;
        for _ in 0..TRIES.0 {
            match try_lock(&file) {
                Ok(()) => return Ok(FolderLock { folder: folder.into(), _file: file }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(TRIES.1),
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
            }
        }
        Err(Error::Busy { path: folder.into() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether any process works in `folder`, exclusively or shared.
    pub fn is_taken(folder: &Path) -> bool {
        File::open(folder.join(NAME))
            .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

/// The file `name` to lock in `folder`, which is created where it is missing.
fn lock_file(folder: &Path, name: &str) -> Result<(PathBuf, File)> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let path = folder.join(name);
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    Ok((path, file))
}

/// Does `work` on the file `path` while no other process does: for reading a record, adding to it
/// and writing it again. Waits for other processes; the lock file is beside `path`, whose folder is
/// created if it is missing.
///
/// # Errors
/// A lock file that cannot be made, and those of `work`.
pub fn one_at_a_time<T, E: From<Error>>(
    path: &Path,
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (lock, file) =
        lock_file(path.parent().unwrap_or(Path::new(".")), &format!(".{name}.lock"))?;
    file.lock().map_err(Error::io("lock", &lock))?;
    work()
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

    #[test]
    fn what_a_killed_process_left_unfinished_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("checkpoints")).unwrap();
        let [a, b, kept] = [".unfinished-a", "checkpoints/.unfinished-b", "spec.toml"]
            .map(|name| folder.path().join(name));
        for file in [&a, &b, &kept] {
            std::fs::write(file, "x").unwrap();
        }
        let c = folder.path().join(".unfinished-c");
        std::fs::create_dir(&c).unwrap();
        std::fs::write(c.join("000000.png"), "x").unwrap();
        FolderLock::take(folder.path()).unwrap();
        assert!(!a.exists() && !b.exists() && !c.exists() && kept.exists());
    }

    #[test]
    fn what_is_done_one_at_a_time_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/count");
        let add = |i: usize| {
            one_at_a_time(&path, || {
                let found = std::fs::read_to_string(&path).unwrap_or_default();
                // Long enough for another thread to read what this one has read.
                std::thread::sleep(Duration::from_millis(2));
                std::fs::write(&path, format!("{found}{i};")).map_err(Error::io("write", &path))
            })
        };
        std::thread::scope(|scope| (0..8).for_each(|i| drop(scope.spawn(move || add(i).unwrap()))));
        assert_eq!(std::fs::read_to_string(&path).unwrap().matches(';').count(), 8);
    }

    #[test]
    fn a_shared_folder_has_room_for_several_but_not_for_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) =
            (FolderLock::share(folder.path()).unwrap(), FolderLock::share(folder.path()).unwrap());
        assert!(FolderLock::take(folder.path()).is_err());
        drop(a);
        assert!(FolderLock::is_taken(folder.path()));
        drop(b);
        assert!(!FolderLock::is_taken(folder.path()));
    }
}
