//! CIFAR-10's binary version: records of one label byte and 3,072 pixel bytes (R, G, B planes of 32x32).

use crate::{Error, Images, Result, Split};
use std::path::{Path, PathBuf};

/// The folder that the official archive unpacks to.
pub(crate) const FOLDER: &str = "cifar-10-batches-bin";
const SIDE: usize = 32;
const RECORD: usize = 1 + 3 * SIDE * SIDE;
/// Records of each of the six files.
const RECORDS: usize = 10_000;
const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Files of a split.
fn files(data_dir: &Path, split: Split) -> Vec<PathBuf> {
    let folder = data_dir.join(FOLDER);
    match split {
        Split::Train => (1..=5).map(|i| folder.join(format!("data_batch_{i}.bin"))).collect(),
        Split::Reference => vec![folder.join("test_batch.bin")],
    }
}

/// Reads the 50,000 training or 10,000 test images from `data_dir/cifar-10-batches-bin`.
pub(crate) fn load(data_dir: &Path, split: Split) -> Result<Images> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for file in files(data_dir, split) {
        if !file.exists() {
            return Err(Error::Missing {
                what: "CIFAR-10 (binary version)".into(),
                path: file,
                remedy: "run `sngan data fetch cifar10`, or name the folder that holds cifar-10-batches-bin with --data-dir".into(),
            });
        }
        let bytes = std::fs::read(&file).map_err(Error::io("read", &file))?;
        parse(&file, &bytes, RECORDS, &mut pixels, &mut labels)?;
    }
    let name = match split {
        Split::Train => "cifar10:train",
        Split::Reference => "cifar10:test",
    };
    Images::new(name.into(), SIDE, pixels, labels, CLASSES.iter().map(|c| (*c).to_string()).collect())
}

/// Appends the images of a file that must hold exactly `records` of them: a file cut between two records is no CIFAR-10 either.
fn parse(file: &Path, bytes: &[u8], records: usize, pixels: &mut Vec<u8>, labels: &mut Vec<u32>) -> Result<()> {
    if bytes.len() != records * RECORD {
        let whole = (bytes.len() / RECORD).min(records) * RECORD;
        let reason = format!("the file has {} bytes; {records} records of {RECORD} bytes are {}", bytes.len(), records * RECORD);
        return Err(Error::malformed(file, whole as u64, reason));
    }
    for (i, record) in bytes.chunks_exact(RECORD).enumerate() {
        if record[0] as usize >= CLASSES.len() {
            return Err(Error::malformed(file, (i * RECORD) as u64, format!("label {} is not below 10", record[0])));
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
        let message = load(folder.path(), Split::Train).unwrap_err().to_string();
        assert!(message.contains("data_batch_1.bin") && message.contains("sngan data fetch cifar10"), "{message}");
    }

    #[test]
    fn a_bad_label_or_length_is_named_with_its_offset() {
        let (mut p, mut l) = (Vec::new(), Vec::new());
        let mut two = vec![0u8; 2 * RECORD];
        two[RECORD] = 10;
        let message = parse(Path::new("f"), &two, 2, &mut p, &mut l).unwrap_err().to_string();
        assert_eq!(message, "f, offset 3073: label 10 is not below 10");
        for (length, offset) in [(0, 0), (3073, 3073), (4000, 3073)] {
            let message = parse(Path::new("f"), &two[..length], 2, &mut p, &mut l).unwrap_err().to_string();
            assert_eq!(message, format!("f, offset {offset}: the file has {length} bytes; 2 records of 3073 bytes are 6146"));
        }
        let message = parse(Path::new("f"), &two, 1, &mut p, &mut l).unwrap_err().to_string();
        assert!(message.starts_with("f, offset 3073: the file has 6146 bytes"), "{message}");
    }
}
