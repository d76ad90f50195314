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
    path: PathBuf,
    file: File,
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
        for _ in 0..TRIES.0 {
            let (path, file) = lock_file(folder, NAME)?;
            match try_lock(&file) {
                // Another process may have replaced the file between its opening and its locking.
                Ok(()) if is_at(&file, &path) => {
                    return Ok(FolderLock { folder: folder.into(), path, file });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => std::thread::sleep(TRIES.1),
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
            }
        }
        Err(Error::Busy { path: folder.into() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks that the lock still keeps others out: that its file, and so its folder, is where it was.
    ///
    /// # Errors
    /// [`Error::LockLost`] if it was removed, renamed or replaced.
    pub fn check(&self) -> Result<()> {
        if is_at(&self.file, &self.path) {
            return Ok(());
        }
        Err(Error::LockLost { path: self.folder.clone() })
    }

    /// Whether any process works in `folder`, exclusively or shared.
    pub fn is_taken(folder: &Path) -> bool {
        File::open(folder.join(NAME))
            .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

/// Whether a folder is, or was, one that a process works in: it holds a lock's file.
pub(crate) fn has_lock(folder: &Path) -> bool {
    folder.join(NAME).symlink_metadata().is_ok()
}

/// The file `name` to lock in `folder`, which is created where it is missing.
fn lock_file(folder: &Path, name: &str) -> Result<(PathBuf, File)> {
    crate::atomic::create_folder(folder)?;
    let path = folder.join(name);
    let mut options = File::options();
    let file = options.create(true).write(true).truncate(false);
    let file = crate::atomic::not_through_links(file).open(&path);
    let file = file.map_err(Error::io("create", &path))?;
    Ok((path, file))
}

/// Whether `file` is what stands at `path`: a lock on a file that was removed or replaced keeps nobody out.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |m: std::fs::Metadata| (m.dev(), m.ino());
        let (Ok(opened), Ok(there)) = (file.metadata(), path.symlink_metadata()) else {
            return false;
        };
        identity(opened) == identity(there)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
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
    let name = format!(".{name}.lock");
    loop {
        let (lock, file) = lock_file(path.parent().unwrap_or(Path::new(".")), &name)?;
        file.lock().map_err(Error::io("lock", &lock))?;
        if is_at(&file, &lock) {
            return work();
        }
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

    #[test]
    fn a_lock_whose_file_or_folder_is_gone_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("run");
        let lost = |change: &dyn Fn()| {
            let lock = FolderLock::take(&place).unwrap();
            lock.check().unwrap();
            change();
            let message = lock.check().unwrap_err().to_string();
            assert!(message.contains("was removed, renamed or replaced"), "{message}");
        };
        lost(&|| std::fs::remove_file(place.join(NAME)).unwrap());
        lost(&|| std::fs::rename(&place, folder.path().join("elsewhere")).unwrap());
        lost(&|| {
            std::fs::remove_file(place.join(NAME)).unwrap();
            std::fs::write(place.join(NAME), "").unwrap();
        });
        lost(&|| std::fs::remove_dir_all(&place).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn no_lock_is_made_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        std::fs::write(&precious, "data").unwrap();
        let place = folder.path().join("run");
        std::fs::create_dir(&place).unwrap();
        std::os::unix::fs::symlink(&precious, place.join(NAME)).unwrap();
        assert!(FolderLock::take(&place).is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");
    }

    #[test]
    fn the_folder_of_another_is_not_cleaned() {
        let folder = tempfile::tempdir().unwrap();
        let others = folder.path().join("others");
        let _theirs = FolderLock::take(&others).unwrap();
        let unfinished = others.join(".unfinished-x");
        std::fs::write(&unfinished, "x").unwrap();
        let _mine = FolderLock::take(folder.path()).unwrap();
        assert!(unfinished.exists());
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
