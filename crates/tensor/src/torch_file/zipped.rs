//! The zip format: a folder with `data.pkl`, `byteorder` and a record `data/KEY` for each storage, all stored without compression.

use super::build::Storages;
use super::pickle::Pickle;
use super::{Fault, Parsed, fault};
use std::io::Cursor;
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

pub(super) fn recognizes(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The value's pickle and where the storages lie.
pub(super) fn parts(bytes: &[u8]) -> Parsed<(Pickle<'_>, Storages)> {
    let corrupt = |e: zip::result::ZipError| Fault {
        offset: 0,
        reason: format!("is a cut or corrupt zip archive: {e}"),
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(corrupt)?;
    let (mut storages, mut pickle) = (Storages::default(), None);
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(corrupt)?;
        let name = entry.name().map_err(corrupt)?.into_owned();
        // All records lie in one folder, whose name is the file's when it was written.
        let Some((_, record)) = name.split_once('/') else { continue };
        let stored = entry.compression() == CompressionMethod::Stored
            && entry.size() == entry.compressed_size();
        let range = within(entry.data_start(), entry.size(), bytes.len()).filter(|_| stored);
        let Some(range) = range else {
            return fault(
                0,
                format!(
                    "has a record `{name}` that is cut or compressed; torch.save stores it as it is"
                ),
            );
        };
        if record == "data.pkl" {
            pickle = Some(range);
        } else if record == "byteorder" && &bytes[range.clone()] != b"little" {
            return fault(range.start, "was written on a machine that is not little-endian");
        } else if let Some(key) = record.strip_prefix("data/") {
            storages.0.insert(key.to_string(), range);
        }
    }
    let Some(range) = pickle else {
        return fault(
            0,
            "is a zip archive without a record `data.pkl`: torch.save did not write it",
        );
    };
    // The pickle must end within its record.
    Ok((Pickle::run(&bytes[..range.end], range.start)?, storages))
}

/// `size` bytes from `start` on, if there are as many.
fn within(start: Option<u64>, size: u64, len: usize) -> Option<Range<usize>> {
    let start = usize::try_from(start?).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    (end <= len).then_some(start..end)
}
