//! Reference statistics in NumPy's npz format: `mu`, `[dim]`, and `sigma`, `[dim, dim]`, as written
//! and read by pytorch-fid and TTUR's code.

use crate::npy::{self, Numbers};
use crate::{Error, Moments, Result};
use npyz::{Order, WriterBuilder};
use sha2::{Digest, Sha256};
use sngan_experiment::atomic;
use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// More features than this are a damaged file.
const MOST_FEATURES: u64 = 16_384;

/// Statistics read from a file.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Mean and covariance.
    pub moments: Moments,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// SHA-256 of the provenance that it was written with; none in files of other programs and of older versions.
    pub provenance: Option<String>,
}

/// What the archive's comment begins with, before the hash of the provenance.
const COMMENT: &str = "sngan provenance ";

impl Statistics {
    /// Whether a file is an archive with an array `mu`: statistics, not images.
    pub fn recognizes(path: &Path) -> bool {
        let archive = File::open(path).ok().and_then(|file| ZipArchive::new(file).ok());
        let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz"));
        archive.map_or(named, |archive| {
            archive.file_names().flatten().any(|name| name == "mu.npy" || name == "sigma.npy")
        })
    }

    /// Reads `mu` and `sigma` of an npz file; f32 or f64, in either order of axes.
    ///
    /// # Errors
    /// [`Error::File`]: a file that is truncated, compressed in an unknown way, lacks an array, or
    /// holds numbers that are not a mean and covariance.
    pub fn read(path: &Path) -> Result<Statistics> {
        let bytes = std::fs::read(path).map_err(sngan_experiment::Error::io("read", path))?;
        let moments = parse(&bytes).map_err(|reason| Error::file(path, reason))?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Statistics { moments, sha256, provenance: comment(&bytes) })
    }
}

/// The hash in the archive's comment.
fn comment(bytes: &[u8]) -> Option<String> {
    let archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let comment = std::str::from_utf8(archive.comment()).ok()?;
    comment.strip_prefix(COMMENT).map(str::to_string)
}

/// The moments in an npz file's bytes, or what is wrong with them.
fn parse(bytes: &[u8]) -> std::result::Result<Moments, String> {
    let zipped = |e: zip::result::ZipError| format!("is no whole npz file ({e}); write it again");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(zipped)?;
    let mut array = |name: &str| {
        let names: Vec<String> = archive.file_names().flatten().map(String::from).collect();
        let mut file = archive.by_name(&format!("{name}.npy")).map_err(|e| {
            if let zip::result::ZipError::FileNotFound = e {
                format!(
                    "has no array `{name}` but {}; statistics hold `mu` and `sigma`",
                    names.join(", ")
                )
            } else {
                zipped(e)
            }
        })?;
        numbers(name, &mut file)
    };
    let (mean_shape, mean) = array("mu")?;
    let (shape, covariance) = array("sigma")?;
    if mean_shape.len() != 1 || shape != [mean_shape[0], mean_shape[0]] {
        return Err(format!(
            "`mu` is {mean_shape:?} and `sigma` {shape:?}; they should be [dim] and [dim, dim]"
        ));
    }
    // A covariance is symmetric, so the order of its axes does not matter.
    Moments::new(mean, &covariance).map_err(|e| e.to_string())
}

/// Shape and numbers of an array of floats.
fn numbers(
    name: &str,
    reader: &mut impl Read,
) -> std::result::Result<(Vec<u64>, Vec<f64>), String> {
    let header = npy::header(reader).map_err(|reason| format!("array `{name}` {reason}"))?;
    let shape = header.shape;
    if shape.iter().any(|n| *n > MOST_FEATURES) || shape.len() > 2 {
        return Err(format!(
            "`{name}` is {shape:?}; statistics are of at most {MOST_FEATURES} features"
        ));
    }
    if header.numbers == Numbers::U8 {
        return Err(format!("array `{name}` {}", npy::wrong_numbers("|u1")));
    }
    let needed = shape.iter().product::<u64>() * header.numbers.size() as u64;
    let mut bytes = Vec::new();
    let cut =
        |e: &dyn std::fmt::Display| format!("array `{name}` is cut ({e}); write the file again");
    reader.take(needed).read_to_end(&mut bytes).map_err(|e| cut(&e))?;
    if (bytes.len() as u64) < needed {
        return Err(cut(&format!("{} of {needed} bytes", bytes.len())));
    }
    Ok((shape, header.numbers.values(&bytes)))
}

/// Writes `moments` like pytorch-fid, deflated; equal moments give equal bytes. `provenance` is the SHA-256 of the record that goes beside
/// the file, if one does: it becomes the archive's comment, which NumPy does not look at.
///
/// # Errors
/// A file that cannot be written.
pub fn write_statistics(path: &Path, moments: &Moments, provenance: Option<&str>) -> Result<()> {
    let refused =
        |e: &dyn std::fmt::Display| Error::file(path, format!("could not be written: {e}"));
    let dim = moments.dim() as u64;
    atomic::write_with(path, |file: &mut File| {
        let mut archive = ZipWriter::new(file);
        if let Some(hash) = provenance {
            archive.set_comment(format!("{COMMENT}{hash}")).map_err(|e| refused(&e))?;
        }
        for (name, shape, values) in [
            ("mu", vec![dim], moments.mean().to_vec()),
            ("sigma", vec![dim, dim], moments.covariance()),
        ] {
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            archive.start_file(format!("{name}.npy"), options).map_err(|e| refused(&e))?;
            let array = encode(&shape, &values).map_err(|e| refused(&e))?;
            archive.write_all(&array).map_err(|e| refused(&e))?;
        }
        archive.finish().map_err(|e| refused(&e))?;
        Ok(())
    })
}

/// An f64 array as an npy file's bytes.
fn encode(shape: &[u64], values: &[f64]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .order(Order::C)
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments() -> Moments {
        Moments::new(vec![1.0, -2.5, 0.1], &[2.0, 0.5, 0.0, 0.5, 1.0, 0.25, 0.0, 0.25, 3.0])
            .unwrap()
    }

    fn archive(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            archive
                .start_file(
                    format!("{name}.npy"),
                    SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
                )
                .unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn what_is_written_is_read_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        write_statistics(&path, &moments(), None).unwrap();
        let first = std::fs::read(&path).unwrap();
        assert_eq!(Statistics::read(&path).unwrap().moments, moments());
        write_statistics(&path, &moments(), None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn files_that_are_no_statistics_say_what_is_wrong() {
        let mu = encode(&[2], &[0.0, 1.0]).unwrap();
        let whole = archive(&[
            ("mu", mu.clone()),
            ("sigma", encode(&[2, 2], &[1.0, 0.5, 0.5, 2.0]).unwrap()),
        ]);
        assert_eq!(parse(&whole).unwrap().covariance(), [1.0, 0.5, 0.5, 2.0]);
        assert!(parse(&whole[..whole.len() - 30]).unwrap_err().contains("no whole npz"));
        assert!(
            parse(&archive(&[("mu", mu.clone())]))
                .unwrap_err()
                .contains("no array `sigma` but mu.npy")
        );
        let short = encode(&[2, 2], &[1.0, 0.5, 0.5, 2.0]).unwrap();
        assert!(
            parse(&archive(&[("mu", mu.clone()), ("sigma", short[..short.len() - 4].to_vec())]))
                .unwrap_err()
                .contains("cut")
        );
        let three = encode(&[3, 3], &[1.0; 9]).unwrap();
        assert!(
            parse(&archive(&[("mu", mu.clone()), ("sigma", three)]))
                .unwrap_err()
                .contains("[dim, dim]")
        );
        let nan = encode(&[2, 2], &[1.0, f64::NAN, f64::NAN, 1.0]).unwrap();
        assert!(
            parse(&archive(&[("mu", mu.clone()), ("sigma", nan)]))
                .unwrap_err()
                .contains("not finite")
        );
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&[2])
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend([1i64, 2]).unwrap();
        writer.finish().unwrap();
        assert!(parse(&archive(&[("mu", bytes)])).unwrap_err().contains("holds <i8"));
    }
}
