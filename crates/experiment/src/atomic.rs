//! Writing files so that nothing half-written is ever visible.

use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The beginning of the names of incomplete files and folders.
const UNFINISHED: &str = ".unfinished-";

/// Writes `bytes` beside `path`, syncs, and renames over it.
///
/// # Errors
/// Any I/O error, naming `path`; the old file is then untouched.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes).map_err(Error::io("write", path)))
}

/// Like [`write()`], with what `fill` puts into the file: for contents too large for memory.
///
/// # Errors
/// As [`write()`], and whatever `fill` returns.
pub fn write_with<E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let folder = parent(path)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)
        .map_err(Error::io("write", path))?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all().map_err(Error::io("sync", path))?;
    // A temporary file is private to its user; others should be able to read results.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))
            .map_err(Error::io("write", path))?;
    }
    file.persist(path).map_err(|e| Error::io("rename", path)(e.error))?;
    Ok(sync_folder(folder)?)
}

/// Makes the folder `path` from what `fill` writes into a folder beside it, which is then renamed:
/// all of it appears, or nothing.
///
/// # Errors
/// Any I/O error, also if `path` already holds something; and whatever `fill` returns.
pub fn write_folder<E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let parent = parent(path)?;
    let folder = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(parent)
        .map_err(Error::io("create", path))?;
    fill(folder.path())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(Error::io("write", path))?;
    }
    sync_folder(folder.path())?;
    std::fs::rename(folder.path(), path).map_err(Error::io("rename", path))?;
    // The rename left nothing to remove.
    let _ = folder.keep();
    Ok(sync_folder(parent)?)
}

/// Checks before long work that a file or folder can be written at `path`; makes its parent folder.
///
/// # Errors
/// Any I/O error, naming `path`.
pub fn try_place(path: &Path) -> Result<()> {
    let folder = parent(path)?;
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)
        .map(drop)
        .map_err(Error::io("write", path))
}

/// The folder that `path` is in, created if it is missing.
fn parent(path: &Path) -> Result<&Path> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)?;
    Ok(folder)
}

/// Creates `folder` where it is missing, with those above it, each of them for good: a folder whose
/// name is not synced in the one above may be gone after a power cut, with all that is in it.
///
/// # Errors
/// Any I/O error, naming the folder.
pub fn create_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(above)?;
    match std::fs::create_dir(folder) {
        Ok(()) => sync_folder(above),
        // Another process was faster.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(e) => Err(Error::io("create", folder)(e)),
    }
}

/// Options that do not open a file through a symbolic link at its place: what it points to is not
/// ours to write.
pub fn not_through_links(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW);
    }
    options
}

fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("sync", folder))?;
    Ok(())
}

/// Removes what killed processes left unfinished in `folder` and the folders directly below it, but
/// not in one with a lock of its own, which another may work in. Only the sole process working there may call it.
///
/// # Errors
/// Any I/O error.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    for path in entries(folder)? {
        if is_unfinished(&path) {
            remove(&path)?;
        } else if path.is_dir() && !path.is_symlink() && !crate::lock::has_lock(&path) {
            entries(&path)?.iter().filter(|p| is_unfinished(p)).try_for_each(|p| remove(p))?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()
    };
    list().map_err(Error::io("list", folder))
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()))
}

fn remove(path: &Path) -> Result<()> {
    let removed =
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.map_err(Error::io("remove", path))
}

/// Like [`write()`], with a value as pretty JSON and a final newline.
///
/// # Errors
/// As [`write()`].
pub fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Error::parse(path, e))?;
    text.push(b'\n');
    write(path, &text)
}
