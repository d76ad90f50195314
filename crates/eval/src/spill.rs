//! Where numbers go whose amount no memory bounds: memory first, then an unnamed temporary file.

use std::io::Error;
use tempfile::SpooledTempFile;

/// Bytes that stay in memory. 2,000 images' features of Inception need no more, and so no folder for
/// temporary files.
const IN_MEMORY: usize = 16 << 20;

/// An empty place, removed with its owner.
pub(crate) fn place() -> SpooledTempFile {
    SpooledTempFile::new(IN_MEMORY)
}

/// What to do where a place could not be written or read, as the end of a message.
pub(crate) fn remedy(e: &Error) -> String {
    format!(
        "temporary files go to {}: {e}; set TMPDIR to a folder with room",
        std::env::temp_dir().display()
    )
}
