//! Reference statistics in NumPy's npz format: `mu`, `[dim]`, and `sigma`, `[dim, dim]`, as written
//! and read by pytorch-fid and TTUR's code.

use crate::{Error, Moments, Result};
use npyz::{Order, WriterBuilder};
use sha2::{Digest, Sha256};
use sngan_experiment::{atomic, regular};
use sngan_tensor::npy::{Header, Numbers};
use sngan_tensor::npz::NpzFile;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
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

    /// Reads `mu` and `sigma` of an npz file; f32 or f64, in either order of axes. Their shapes are looked at before either is inflated,
    /// and memory stays below four times what `sigma` has as f64.
    ///
    /// # Errors
    /// [`Error::File`]: a file that is truncated or altered, compressed in an unknown way, lacks an array, holds far more than its size
    /// lets expect, or numbers that are not a mean and covariance.
    pub fn read(path: &Path) -> Result<Statistics> {
        let io = |action| sngan_experiment::Error::io(action, path);
        let mut file = regular::open(path).map_err(io("read"))?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut piece).map_err(io("read"))?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            length += read as u64;
        }
        file.seek(SeekFrom::Start(0)).map_err(io("read"))?;
        let of_file = |reason| Error::file(path, reason);
        let mut archive = NpzFile::new(path, file).map_err(|e| of_file(said(e)))?;
        let moments = parse(&mut archive, length).map_err(of_file)?;
        let comment = std::str::from_utf8(archive.comment()).ok();
        let provenance = comment.and_then(|c| c.strip_prefix(COMMENT)).map(str::to_string);
        Ok(Statistics { moments, sha256: hex::encode(hash.finalize()), provenance })
    }
}

/// An archive's error without its file's name.
fn said(e: sngan_tensor::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of everything else in tensor")]
    match e {
        sngan_tensor::Error::NpzFile { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// The moments in an npz file of `length` bytes, or what is wrong with them.
fn parse<R: Read + Seek>(
    archive: &mut NpzFile<R>,
    length: u64,
) -> std::result::Result<Moments, String> {
    let header = |name: &str| {
        let found = archive.header(name).map_err(said);
        found.cloned().map_err(|reason| match reason.contains("has no array") {
            true => format!("{reason}; statistics hold `mu` and `sigma`"),
            false => reason,
        })
    };
    let (mu, sigma) = (header("mu")?, header("sigma")?);
    check(&mu, &sigma, length)?;
    let mut values = |name: &str, header: &Header| {
        let mut values = Values { numbers: header.numbers, rest: Vec::new(), values: Vec::new() };
        archive.copy(name, &mut values).map_err(said)?;
        Ok::<_, String>(values.values)
    };
    let (mean, covariance) = (values("mu", &mu)?, values("sigma", &sigma)?);
    // A covariance is symmetric, so the order of its axes does not matter.
    Moments::new(mean, &covariance).map_err(|e| e.to_string())
}

/// Bytes that `sigma` may inflate to beyond its file's: that of 2,048 features.
const INFLATED: u64 = 32 << 20;

/// Refuses arrays, by their headers, that are no mean and covariance.
fn check(mu: &Header, sigma: &Header, length: u64) -> std::result::Result<(), String> {
    for (name, header) in [("mu", mu), ("sigma", sigma)] {
        match header.numbers {
            Numbers::F32 | Numbers::F64 => {}
            Numbers::U8 | Numbers::I32 | Numbers::I64 | Numbers::F16 => {
                return Err(format!(
                    "array `{name}` holds {}; statistics are float32 or float64",
                    header.numbers.name()
                ));
            }
        }
    }
    let (mean, shape) = (&mu.shape, &sigma.shape);
    if mean.len() != 1 || shape[..] != [mean[0], mean[0]] {
        return Err(format!(
            "`mu` is {mean:?} and `sigma` {shape:?}; they should be [dim] and [dim, dim]"
        ));
    }
    if mean[0] > MOST_FEATURES {
        return Err(format!(
            "`mu` is {mean:?}; statistics are of at most {MOST_FEATURES} features"
        ));
    }
    // Covariances of measured features hardly shrink, so a file that inflates to many times its size holds none.
    let inflated = sigma.bytes().unwrap_or(u64::MAX);
    if inflated > length + INFLATED {
        return Err(format!(
            "`sigma` would inflate to {inflated} bytes from a file of {length}, which no covariance of measured features does; save it with numpy.savez"
        ));
    }
    Ok(())
}

/// Numbers out of the bytes that are written to it.
struct Values {
    numbers: Numbers,
    /// The beginning of a number whose end is yet to come.
    rest: Vec<u8>,
    values: Vec<f64>,
}

impl Write for Values {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let size = self.numbers.size();
        if self.rest.is_empty() && bytes.len().is_multiple_of(size) {
            self.values.extend(self.numbers.values(bytes));
            return Ok(bytes.len());
        }
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / size * size;
        self.values.extend(self.numbers.values(&self.rest[..whole]));
        self.rest.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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
    use std::io::Cursor;

    fn moments() -> Moments {
        Moments::new(vec![1.0, -2.5, 0.1], &[2.0, 0.5, 0.0, 0.5, 1.0, 0.25, 0.0, 0.25, 3.0])
            .unwrap()
    }

    fn packed(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(method);
            archive.start_file(format!("{name}.npy"), options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn archive(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        packed(arrays, CompressionMethod::Stored)
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Moments, String> {
        let mut archive =
            NpzFile::new(Path::new("s.npz"), Cursor::new(bytes)).map_err(|e| e.to_string())?;
        super::parse(&mut archive, bytes.len() as u64)
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
                .contains("no array `sigma` but mu; statistics")
        );
        let short = encode(&[2, 2], &[1.0, 0.5, 0.5, 2.0]).unwrap();
        assert!(
            parse(&archive(&[("mu", mu.clone()), ("sigma", short[..short.len() - 4].to_vec())]))
                .unwrap_err()
                .contains("156 bytes in the archive, but its header promises 160")
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
        let whole = encode(&[2, 2], &[1.0, 0.5, 0.5, 2.0]).unwrap();
        let said = parse(&archive(&[("mu", bytes), ("sigma", whole)])).unwrap_err();
        assert!(said.contains("array `mu` holds int64"), "{said}");
    }

    #[test]
    fn a_changed_bit_is_noticed_whatever_number_it_makes() {
        let mu = encode(&[2], &[0.0, 1.0]).unwrap();
        let mut whole =
            archive(&[("mu", mu), ("sigma", encode(&[2, 2], &[1.0, 0.5, 0.5, 2.0]).unwrap())]);
        let place = whole.windows(8).position(|b| b == 2.0f64.to_le_bytes()).unwrap();
        whole[place + 6] ^= 1;
        let said = parse(&whole).unwrap_err();
        assert!(
            said.contains("array `sigma` is no whole npz file") && said.contains("checksum"),
            "{said}"
        );
    }

    #[test]
    fn shapes_are_looked_at_before_anything_is_inflated() {
        let zeros = |shape: &[u64]| {
            let n = shape.iter().product::<u64>() as usize;
            encode(shape, &vec![0.0; n]).unwrap()
        };
        let deflated = |mu: &[u64], sigma: &[u64]| {
            parse(&packed(
                &[("mu", zeros(mu)), ("sigma", zeros(sigma))],
                CompressionMethod::Deflated,
            ))
            .unwrap_err()
        };
        assert!(deflated(&[64, 64], &[64, 64]).contains("[dim, dim]"));
        let bomb = deflated(&[2100], &[2100, 2100]);
        assert!(bomb.contains("would inflate to 35280000 bytes from a file of"), "{bomb}");
    }
}
