//! Archives of NumPy arrays (`numpy.savez`), from untrusted files: images, statistics, and the snapshots that Chainer's
//! `save_npz` writes, whose keys are paths such as `block2/c1/W`.
//!
//! Nothing is inflated before the array's header and the size that the archive gives for it agree, no more is inflated than the header
//! promises, and the checksum is looked at: what is read is what was written.

use crate::npy::{self, Header};
use crate::{Error, Result};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// The end of the name of an array's member.
const EXTENSION: &str = ".npy";

/// An archive whose arrays' headers were read.
#[derive(Debug)]
pub struct NpzFile<R = File> {
    path: PathBuf,
    archive: ZipArchive<R>,
    /// Arrays by name, with the member that holds them.
    arrays: BTreeMap<String, (usize, Header)>,
    unreadable: BTreeMap<String, String>,
}

impl NpzFile<File> {
    /// Opens a file and reads the headers of its arrays. One that cannot be read keeps none of the others from it.
    ///
    /// # Errors
    /// A file that cannot be opened, or is no whole archive.
    pub fn open(path: &Path) -> Result<NpzFile> {
        let io = |source| Error::Io { action: "open", path: path.into(), source };
        // Asked before opening, which would wait for the writer of a pipe.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(refused(path, "is no regular file; give a copy of its content".into()));
        }
        NpzFile::new(path, File::open(path).map_err(io)?)
    }

    /// The file, if it is an archive with an array in it, whatever its name says.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn recognized(path: &Path) -> Result<Option<NpzFile>> {
        let io = |source| Error::Io { action: "open", path: path.into(), source };
        let mut head = [0; 2];
        let mut file = File::open(path).map_err(io)?;
        if file.read_exact(&mut head).is_err() || head != *b"PK" {
            return Ok(None);
        }
        let found = NpzFile::new(path, file).ok();
        Ok(found.filter(|file| !file.arrays.is_empty() || !file.unreadable.is_empty()))
    }
}

impl<R: Read + Seek> NpzFile<R> {
    /// [`NpzFile::open`] for a file that is open already, or in memory; `path` is for messages.
    ///
    /// # Errors
    /// What is no whole archive.
    pub fn new(path: &Path, reader: R) -> Result<NpzFile<R>> {
        let archive = ZipArchive::new(reader).map_err(|e| refused(path, cut(&e)))?;
        let mut file = NpzFile {
            path: path.into(),
            archive,
            arrays: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        };
        for member in 0..file.archive.len() {
            let name = file.archive.name_for_index(member).and_then(|name| name.ok());
            let name = name.map(|name| name.into_owned());
            let Some(name) = name.as_deref().and_then(|name| name.strip_suffix(EXTENSION)) else {
                continue;
            };
            match file.header_of(member) {
                Ok(header) => drop(file.arrays.insert(name.into(), (member, header))),
                Err(reason) => drop(file.unreadable.insert(name.into(), reason)),
            }
        }
        Ok(file)
    }

    /// The header of a member; the archive must give it the size that the header promises.
    fn header_of(&mut self, member: usize) -> std::result::Result<Header, String> {
        let mut packed = self.archive.by_index(member).map_err(|e| cut(&e))?;
        let header = npy::header(&mut packed)?;
        let promised = header.bytes().and_then(|bytes| bytes.checked_add(header.length));
        match promised {
            Some(promised) if promised == packed.size() => Ok(header),
            Some(promised) => Err(format!(
                "has {} bytes in the archive, but its header promises {promised}; write the file again",
                packed.size()
            )),
            None => Err("claims to be larger than any file".into()),
        }
    }

    /// Names of the arrays, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// Names of the arrays that cannot be read, sorted, each with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unreadable.iter().map(|(name, reason)| (name.as_str(), reason.as_str()))
    }

    /// The text after the archive's members; NumPy writes none.
    pub fn comment(&self) -> &[u8] {
        self.archive.comment()
    }

    /// The header of an array.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be read.
    pub fn header(&self, name: &str) -> Result<&Header> {
        if let Some((_, header)) = self.arrays.get(name) {
            return Ok(header);
        }
        let reason = match self.unreadable.get(name) {
            Some(reason) => format!("array `{name}` {reason}"),
            None => format!("has no array `{name}`{}", self.listed()),
        };
        Err(refused(&self.path, reason))
    }

    /// The end of a message: what there is instead.
    fn listed(&self) -> String {
        /// Names that a message lists.
        const LISTED: usize = 8;
        let names: Vec<&str> =
            self.names().chain(self.unreadable().map(|(name, _)| name)).take(LISTED + 1).collect();
        match names.len() {
            0 => ", nor any other".into(),
            n if n > LISTED => format!(" but {} and others", names[..LISTED].join(", ")),
            _ => format!(" but {}", names.join(", ")),
        }
    }

    /// Writes an array's numbers to `out`, little-endian, in the order that its header says: exactly as many as it promises, with the
    /// checksum that the archive gives.
    ///
    /// # Errors
    /// An array that is not there, is cut or altered; `out` refusing them.
    pub fn copy(&mut self, name: &str, out: &mut dyn Write) -> Result<()> {
        let header = self.header(name)?.clone();
        let member = self.arrays[name].0;
        let path = self.path.clone();
        let wrong =
            |e: &dyn std::fmt::Display| refused(&path, format!("array `{name}` {}", cut(e)));
        let mut packed = self.archive.by_index(member).map_err(|e| wrong(&e))?;
        npy::header(&mut packed).map_err(|e| wrong(&e))?;
        let mut left = header.bytes().unwrap_or(0);
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let asked = left.min(PIECE as u64) as usize;
            let read = packed.read(&mut piece[..asked]).map_err(|e| wrong(&e))?;
            if read == 0 {
                return Err(wrong(&format!("{left} bytes are missing")));
            }
            out.write_all(&piece[..read])
                .map_err(|source| Error::Unpacked { name: name.into(), source })?;
            left -= read as u64;
        }
        // Read to its end, a member's checksum is compared.
        match packed.read(&mut piece[..1]).map_err(|e| wrong(&e))? {
            0 => Ok(()),
            _ => Err(wrong(&"it goes on after its last number")),
        }
    }

    /// An array's numbers as in [`NpzFile::copy`].
    ///
    /// # Errors
    /// As [`NpzFile::copy`].
    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        let promised = self.header(name)?.bytes().unwrap_or(0);
        // Not to grow by doubling; what a header promises beyond this must come first.
        let mut bytes = Vec::with_capacity(promised.min(RESERVED) as usize);
        self.copy(name, &mut bytes)?;
        Ok(bytes)
    }

    /// An array as a tensor, row-major; float16 becomes float32, int32 int64.
    ///
    /// # Errors
    /// As [`NpzFile::copy`]; sizes beyond this machine's.
    pub fn tensor(&mut self, name: &str) -> Result<Tensor> {
        let header = self.header(name)?.clone();
        let mut shape = Vec::with_capacity(header.shape.len());
        for n in &header.shape {
            let too_large =
                |_| refused(&self.path, format!("array `{name}` is {:?}", header.shape));
            shape.push(usize::try_from(*n).map_err(too_large)?);
        }
        let bytes = self.bytes(name)?;
        if !header.fortran {
            return header.numbers.tensor(&bytes, &shape);
        }
        shape.reverse();
        let reversed = header.numbers.tensor(&bytes, &shape)?;
        let axes: Vec<usize> = (0..shape.len()).rev().collect();
        Ok(reversed.permute(axes)?.contiguous()?)
    }
}

/// Bytes that are reserved for numbers before they are there.
const RESERVED: u64 = 64 << 20;
/// Bytes inflated at a time.
const PIECE: usize = 1 << 16;

/// What is wrong with an archive or a member, and what to do.
fn cut(e: &dyn std::fmt::Display) -> String {
    format!("is no whole npz file ({e}); write or copy it again")
}

fn refused(path: &Path, reason: String) -> Error {
    Error::NpzFile { path: path.into(), reason }
}
