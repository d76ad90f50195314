//! How far a file of records went at some moment, so that later damage to it is noticed.

use crate::{Error, Result, regular};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The length and hash of a file's beginning. Records are only ever added, so what was there once must be there for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of these bytes, hexadecimal.
    pub sha256: String,
}

impl Extent {
    /// Of the file's whole lines; `None` where there is none. A line that a kill cut short does not count: whoever adds the next one
    /// removes it.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn of(path: &Path) -> Result<Option<Extent>> {
        match regular::read(path) {
            Ok(bytes) => {
                let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
                Ok(Some(Extent::of_bytes(&bytes[..whole])))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path)(e)),
        }
    }

    /// Of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Extent {
        Extent { bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)) }
    }

    /// Checks that the file still begins so.
    ///
    /// # Errors
    /// [`Error::Altered`] where it does not; any I/O error.
    pub fn check(&self, path: &Path) -> Result<()> {
        let altered = |reason: String| Error::Altered { path: path.into(), reason };
        let file = match regular::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(altered("it is not there".into()));
            }
            Err(e) => return Err(Error::io("read", path)(e)),
        };
        let mut bytes = Vec::new();
        file.take(self.bytes).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        if (bytes.len() as u64) < self.bytes {
            return Err(altered(format!("it ends after {} bytes of {}", bytes.len(), self.bytes)));
        }
        if Extent::of_bytes(&bytes) != *self {
            let reason = format!("its first {} bytes are not those that were written", self.bytes);
            return Err(altered(reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_grow_and_may_not_shrink_or_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        assert_eq!(Extent::of(&path).unwrap(), None);
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let extent = Extent::of(&path).unwrap().unwrap();
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(Extent::of(&path).unwrap().unwrap(), extent, "a cut line does not count");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            extent.check(&path).err().map(|e| e.to_string())
        };
        assert_eq!((said("one\ntwo\n"), said("one\ntwo\nthree\n")), (None, None));
        assert!(said("one\n").unwrap().contains("ends after 4 bytes of 8"));
        assert!(said("two\none\n").unwrap().contains("first 8 bytes"), "reordered");
        std::fs::remove_file(&path).unwrap();
        assert!(extent.check(&path).unwrap_err().to_string().contains("not there"));
    }
}
