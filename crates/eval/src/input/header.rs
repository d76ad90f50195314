//! The place and type of an array in a file.

use crate::npy::{self, Numbers, wrong_numbers};
use crate::{Error, Result};
use safetensors::tensor::{Dtype, Metadata};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

/// A safetensors header longer than this is a damaged file.
const LONGEST_HEADER: u64 = 100 << 20;

/// An array with random access, in C order and little-endian.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) file: File,
    /// Where its numbers begin, bytes.
    pub(super) offset: u64,
    pub(super) numbers: Numbers,
    pub(super) shape: Vec<u64>,
}

impl Array {
    /// The array of a `.npy`, `.npz` or `.safetensors` file, checked to be complete.
    pub(super) fn open(path: &Path) -> Result<Array> {
        // Asked before opening, which would wait for the writer of a pipe.
        if !path.is_file() {
            return Err(Error::file(path, "is no regular file; give a copy of its content"));
        }
        let file = File::open(path).map_err(sngan_experiment::Error::io("open", path))?;
        let extension =
            path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let array = match extension.as_str() {
            "npy" => npy(file),
            "npz" => npz(file),
            "safetensors" => safetensors(file),
            _ => Err("is no .npy, .npz or .safetensors file, nor a folder".to_string()),
        };
        let array = array.map_err(|reason| Error::file(path, reason))?;
        array.check_length().map_err(|reason| Error::file(path, reason))?;
        Ok(array)
    }

    /// Whether the file is as long as the header says.
    fn check_length(&self) -> std::result::Result<(), String> {
        let size =
            self.shape.iter().try_fold(self.numbers.size() as u64, |size, n| size.checked_mul(*n));
        let needed = size
            .and_then(|size| size.checked_add(self.offset))
            .ok_or("claims to be larger than any file")?;
        let found = self.file.metadata().map_err(|e| e.to_string())?.len();
        if found < needed {
            return Err(format!(
                "is cut: its header promises {needed} bytes, {found} are there; write or copy it again"
            ));
        }
        Ok(())
    }
}

/// An array at the start of a file.
fn npy(mut file: File) -> std::result::Result<Array, String> {
    let header = in_order(npy::header(&mut file)?)?;
    Ok(Array { file, offset: header.length, numbers: header.numbers, shape: header.shape })
}

fn in_order(header: npy::Header) -> std::result::Result<npy::Header, String> {
    if header.fortran {
        return Err("is in Fortran order; save numpy.ascontiguousarray(images)".into());
    }
    Ok(header)
}

/// The array of images in an archive, unpacked to an unnamed file.
fn npz(file: File) -> std::result::Result<Array, String> {
    let zipped =
        |e: &dyn std::fmt::Display| format!("is no whole npz file ({e}); write or copy it again");
    let mut archive = ZipArchive::new(file).map_err(|e| zipped(&e))?;
    let names: Vec<String> = archive
        .file_names()
        .flatten()
        .filter_map(|n| n.strip_suffix(".npy").map(String::from))
        .collect();
    let name = chosen(&names)?;
    let mut packed = archive.by_name(&format!("{name}.npy")).map_err(|e| zipped(&e))?;
    let header = npy::header(&mut packed).and_then(in_order);
    let header = header.map_err(|e| format!("array `{name}` {e}"))?;
    // No more than the header promises: what is packed may unpack to a thousand times its size.
    let promised = header.bytes().ok_or("claims to be larger than any file")?;
    let mut unpacked = tempfile::tempfile().map_err(|e| e.to_string())?;
    std::io::copy(&mut packed.take(promised), &mut unpacked).map_err(|e| zipped(&e))?;
    Ok(Array { file: unpacked, offset: 0, numbers: header.numbers, shape: header.shape })
}

/// The images among several arrays: `images`, else NumPy's first unnamed one, else the only one.
fn chosen(names: &[String]) -> std::result::Result<String, String> {
    let known = ["images", "arr_0"].into_iter().find(|known| names.iter().any(|n| n == known));
    match (known, names) {
        (Some(name), _) => Ok(name.into()),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err("holds no array".into()),
        (None, several) => {
            Err(format!("holds {}; name the array of images `images`", several.join(", ")))
        }
    }
}

/// The tensor of images in a safetensors file.
fn safetensors(mut file: File) -> std::result::Result<Array, String> {
    let bad = |e: &dyn std::fmt::Display| {
        format!("is no whole safetensors file ({e}); write or copy it again")
    };
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|e| bad(&e))?;
    let header = u64::from_le_bytes(length);
    let found = file.metadata().map_err(|e| e.to_string())?.len();
    if header > LONGEST_HEADER.min(found) {
        return Err(bad(&format!("a header of {header} bytes in {found}")));
    }
    let mut text = Vec::new();
    (&mut file).take(header).read_to_end(&mut text).map_err(|e| bad(&e))?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|e| bad(&e))?;
    let mut names: Vec<String> = metadata.tensors().into_keys().collect();
    names.sort();
    let name = chosen(&names)?;
    let info = metadata.info(&name).ok_or_else(|| bad(&"no such tensor"))?;
    #[expect(clippy::wildcard_enum_match_arm, reason = "safetensors' types, of which few are read")]
    let numbers = match info.dtype {
        Dtype::U8 => Numbers::U8,
        Dtype::F32 => Numbers::F32,
        Dtype::F64 => Numbers::F64,
        other => return Err(format!("tensor `{name}` {}", wrong_numbers(&format!("{other:?}")))),
    };
    let offset = 8 + header + info.data_offsets.0 as u64;
    Ok(Array { file, offset, numbers, shape: info.shape.iter().map(|n| *n as u64).collect() })
}
