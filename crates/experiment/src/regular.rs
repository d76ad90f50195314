//! Reading files whose names came from elsewhere: a pipe may never begin, a device never end.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens a regular file.
///
/// # Errors
/// Any I/O error; a pipe, device or folder, at once.
pub fn open(path: &Path) -> Result<File> {
    // Asked before opening, which would wait for the writer of a pipe.
    if !std::fs::metadata(path)?.is_file() {
        let reason =
            "it is no regular file but a folder, pipe or device; give a copy of its content";
        return Err(Error::new(ErrorKind::InvalidInput, reason));
    }
    File::open(path)
}

/// The content of a regular file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    let length = file.metadata()?.len();
    // More than this machine can hold is an error, not the end of the process.
    let length = usize::try_from(length).map_err(|_| ErrorKind::OutOfMemory)?;
    bytes.try_reserve_exact(length)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_never_begins_or_ends_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            assert!(read(path).unwrap_err().to_string().contains("no regular file"));
        }
        std::fs::write(pipe.with_extension("copy"), "x").unwrap();
        assert_eq!(read(&pipe.with_extension("copy")).unwrap(), b"x");
    }
}
