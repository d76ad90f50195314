//! The place and type of an array in a file.

use crate::{Error, Result, spill};
use safetensors::tensor::{Dtype, Metadata};
use sngan_tensor::npy::{self, Numbers};
use sngan_tensor::npz::NpzFile;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// A safetensors header longer than this is a damaged file.
const LONGEST_HEADER: u64 = 100 << 20;
/// Names of arrays that a message lists; it counts the others.
const NAMED: usize = 5;

/// A file, or what was unpacked from one.
pub(super) trait Content: Read + Seek + Send + std::fmt::Debug {}
impl<T: Read + Seek + Send + std::fmt::Debug> Content for T {}

/// An array with random access, in C order and little-endian.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) file: Box<dyn Content>,
    /// Where its numbers begin, bytes.
    pub(super) offset: u64,
    pub(super) numbers: Numbers,
    pub(super) shape: Vec<u64>,
}

impl Array {
    /// The array of a `.npy`, `.npz` or `.safetensors` file, checked to be complete.
    pub(super) fn open(path: &Path) -> Result<Array> {
        let file = sngan_experiment::regular::open(path)
            .map_err(sngan_experiment::Error::io("open", path))?;
        let extension =
            path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let array = match extension.as_str() {
            "npy" => npy(file),
            "npz" => npz(path, file),
            "safetensors" => safetensors(file),
            _ => Err("is no .npy, .npz or .safetensors file, nor a folder".to_string()),
        };
        let mut array = array.map_err(|reason| Error::file(path, reason))?;
        array.check_length().map_err(|reason| Error::file(path, reason))?;
        Ok(array)
    }

    /// Whether the file is as long as the header says.
    fn check_length(&mut self) -> std::result::Result<(), String> {
        let size =
            self.shape.iter().try_fold(self.numbers.size() as u64, |size, n| size.checked_mul(*n));
        let needed = size
            .and_then(|size| size.checked_add(self.offset))
            .ok_or("claims to be larger than any file")?;
        let found = self.file.seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
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
    let header = pixels(npy::header(&mut file)?)?;
    Ok(Array {
        file: Box::new(file),
        offset: header.length,
        numbers: header.numbers,
        shape: header.shape,
    })
}

/// The header of an array that may be one of images.
fn pixels(header: npy::Header) -> std::result::Result<npy::Header, String> {
    match header.numbers {
        Numbers::U8 | Numbers::F32 | Numbers::F64 => {}
        Numbers::F16 | Numbers::I32 | Numbers::I64 => {
            return Err(wrong_numbers(header.numbers.name()));
        }
    }
    if header.fortran {
        return Err("is in Fortran order; save numpy.ascontiguousarray(images)".into());
    }
    Ok(header)
}

/// The message for numbers that are no pixels.
fn wrong_numbers(found: &str) -> String {
    format!("holds {found}; images are uint8 in 0..=255, or float32 or float64, little-endian")
}

/// The array of images in an archive, unpacked: no more than its header promises.
fn npz(path: &Path, file: File) -> std::result::Result<Array, String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of everything else in tensor")]
    let said = |e: sngan_tensor::Error| match e {
        sngan_tensor::Error::Unpacked { name, source } => {
            format!("array `{name}` could not be unpacked; {}", spill::remedy(&source))
        }
        sngan_tensor::Error::NpzFile { reason, .. } => reason,
        other => other.to_string(),
    };
    let mut archive = NpzFile::new(path, file).map_err(said)?;
    let names = archive.names().chain(archive.unreadable().map(|(name, _)| name));
    let name = chosen(&names.map(String::from).collect::<Vec<_>>())?;
    let header = archive.header(&name).map_err(said)?.clone();
    let header = pixels(header).map_err(|e| format!("array `{name}` {e}"))?;
    let mut unpacked = spill::place();
    archive.copy(&name, &mut unpacked).map_err(said)?;
    Ok(Array { file: Box::new(unpacked), offset: 0, numbers: header.numbers, shape: header.shape })
}

/// The images among several arrays: `images`, else NumPy's first unnamed one, else the only one.
fn chosen(names: &[String]) -> std::result::Result<String, String> {
    let known = ["images", "arr_0"].into_iter().find(|known| names.iter().any(|n| n == known));
    match (known, names) {
        (Some(name), _) => Ok(name.into()),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err("holds no array".into()),
        (None, several) => {
            let named = several[..several.len().min(NAMED)].join(", ");
            let more = match several.len().saturating_sub(NAMED) {
                0 => String::new(),
                n => format!(", … {n} more"),
            };
            Err(format!("holds {named}{more}; name the array of images `images`"))
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
    Ok(Array {
        file: Box::new(file),
        offset,
        numbers,
        shape: info.shape.iter().map(|n| *n as u64).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_five_of_many_arrays() {
        let names: Vec<String> = (0..60).map(|i| format!("a{i}")).collect();
        let said = chosen(&names).unwrap_err();
        assert_eq!(said, "holds a0, a1, a2, a3, a4, … 55 more; name the array of images `images`");
        assert!(chosen(&names[..5]).unwrap_err().starts_with("holds a0, a1, a2, a3, a4; name"));
        assert_eq!(chosen(&names[..1]).unwrap(), "a0");
    }
}
