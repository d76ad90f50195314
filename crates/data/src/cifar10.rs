//! CIFAR-10's binary version: records of one label byte and 3,072 pixel bytes (R, G, B planes of 32x32).

use crate::{Error, Images, Result, Split};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The folder that the official archive unpacks to.
pub(crate) const FOLDER: &str = "cifar-10-batches-bin";
const SIDE: usize = 32;
const RECORD: usize = 1 + 3 * SIDE * SIDE;
/// Records of each of the six files.
const RECORDS: usize = 10_000;
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// SHA-256 of the files of a copy made from JPEG images (quality 75): training batches 1 to 5, then
/// the test images. Scores against it are not comparable with published ones, so it has its own
/// name.
const JPEG_COPY: [&str; 6] = [
    "f2864180fce86ab4106016a49ea527cd9376db11e43effbeb9f2b263de915c0a",
    "c52397bf76420e25e54c7ae21dfb41892d86a23f4d1ee338e7196744af969132",
    "967b17f8138b600d580cdddcfb372d8f73098ceec84dd859ec0017a8b1e5db40",
    "e41eba099e58636ef2a10ce7a6501246fe24e336c6f87f1639c78e53b60d0a53",
    "71ee043011581dc7093922d11849252e4484e033d8dab4e63563992169a5eb83",
    "e420470369763955674e5899909a2b8f3e34c22a6a0d169eba4ff593475cf974",
];

/// Files of a split, each with its checksum in the JPEG copy.
fn files(data_dir: &Path, split: Split) -> Vec<(PathBuf, &'static str)> {
    let folder = data_dir.join(FOLDER);
    let (training, test) = JPEG_COPY.split_at(5);
    match split {
        Split::Train => (1..)
            .zip(training)
            .map(|(i, sum)| (folder.join(format!("data_batch_{i}.bin")), *sum))
            .collect(),
        Split::Reference | Split::HeldOut => vec![(folder.join("test_batch.bin"), test[0])],
    }
}

/// Reads the 50,000 training or 10,000 test images from `data_dir/cifar-10-batches-bin`. The set's
/// name says if they are the JPEG copy.
pub(crate) fn load(data_dir: &Path, split: Split) -> Result<Images> {
    let (mut pixels, mut labels, mut jpeg_copy) = (Vec::new(), Vec::new(), true);
    for (file, sum) in files(data_dir, split) {
        if !file.exists() {
            return Err(Error::Missing {
                what: "CIFAR-10 (binary version)".into(),
                path: file,
                remedy: "run `sngan data fetch cifar10`, or name the folder that holds cifar-10-batches-bin as the data folder".into(),
            });
        }
        let bytes = sngan_experiment::regular::read(&file).map_err(Error::io("read", &file))?;
        parse(&file, &bytes, RECORDS, &mut pixels, &mut labels)?;
        jpeg_copy = jpeg_copy && is(&bytes, sum);
    }
    let set = if jpeg_copy { "cifar10-jpeg-copy" } else { "cifar10" };
    let part = match split {
        Split::Train => "train",
        Split::Reference | Split::HeldOut => "test",
    };
    images(&format!("{set}:{part}"), pixels, labels)
}

/// A line about the training and the test images, for `sngan data verify`.
pub(crate) fn check(data_dir: &Path) -> Result<Vec<String>> {
    let line = |split| {
        let images = load(data_dir, split)?;
        Ok(format!("{}: {} well-formed images", images.name, images.len()))
    };
    [Split::Train, Split::Reference].into_iter().map(line).collect()
}

/// Whether `bytes` have the SHA-256 `sum`, in hex.
fn is(bytes: &[u8], sum: &str) -> bool {
    hex::encode(Sha256::digest(bytes)) == sum
}

/// The set of records that [`parse`] has read.
pub(crate) fn images(name: &str, pixels: Vec<u8>, labels: Vec<u32>) -> Result<Images> {
    Images::new(name.into(), SIDE, pixels, labels, CLASSES.map(String::from).into())
}

/// Appends the images of a file that must hold exactly `records` of them: a file cut between two
/// records is also invalid.
pub(crate) fn parse(
    file: &Path,
    bytes: &[u8],
    records: usize,
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u32>,
) -> Result<()> {
    if bytes.len() != records * RECORD {
        let whole = (bytes.len() / RECORD).min(records) * RECORD;
        let reason = format!(
            "the file has {} bytes; {records} records of {RECORD} bytes are {}",
            bytes.len(),
            records * RECORD
        );
        return Err(Error::malformed(file, whole as u64, reason));
    }
    for (i, record) in bytes.chunks_exact(RECORD).enumerate() {
        if record[0] as usize >= CLASSES.len() {
            return Err(Error::malformed(
                file,
                (i * RECORD) as u64,
                format!("label {} is not below 10", record[0]),
            ));
        }
        labels.push(u32::from(record[0]));
        pixels.extend_from_slice(&record[1..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(label: u8) -> Vec<u8> {
        [vec![label], vec![label * 10; 3072]].concat()
    }

    #[test]
    fn the_test_file_is_read_in_order_and_missing_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let all: Vec<u8> = (0..RECORDS).flat_map(|i| record((i % 10) as u8)).collect();
        std::fs::write(folder.path().join(FOLDER).join("test_batch.bin"), all).unwrap();
        let set = load(folder.path(), Split::Reference).unwrap();
        assert_eq!((set.len(), &set.labels[8..12]), (RECORDS, &[8, 9, 0, 1][..]));
        assert!(set.image(9_994).iter().all(|p| *p == 40));
        assert_eq!(set.name, "cifar10:test");
        let message = load(folder.path(), Split::Train).unwrap_err().to_string();
        assert!(
            message.contains("data_batch_1.bin") && message.contains("sngan data fetch cifar10"),
            "{message}"
        );
    }

    #[test]
    fn a_bad_label_or_length_is_named_with_its_offset() {
        let (mut p, mut l) = (Vec::new(), Vec::new());
        let mut two = vec![0u8; 2 * RECORD];
        two[RECORD] = 10;
        let message = parse(Path::new("f"), &two, 2, &mut p, &mut l).unwrap_err().to_string();
        assert_eq!(message, "f, offset 3073: label 10 is not below 10");
        for (length, offset) in [(0, 0), (3073, 3073), (4000, 3073)] {
            let message =
                parse(Path::new("f"), &two[..length], 2, &mut p, &mut l).unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "f, offset {offset}: the file has {length} bytes; 2 records of 3073 bytes are 6146"
                )
            );
        }
        let message = parse(Path::new("f"), &two, 1, &mut p, &mut l).unwrap_err().to_string();
        assert!(message.starts_with("f, offset 3073: the file has 6146 bytes"), "{message}");
    }

    #[test]
    fn the_jpeg_copy_is_told_from_the_original_by_every_one_of_its_files() {
        assert!(is(b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert!(!is(b"abd", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        let sums: Vec<_> = [Split::Train, Split::Reference]
            .iter()
            .flat_map(|s| files(Path::new("d"), *s))
            .map(|(_, sum)| sum)
            .collect();
        assert_eq!(sums, JPEG_COPY);
    }
}
