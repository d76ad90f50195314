//! STL-10's binary version: 96x96 images as three planes, each stored column by column, and label
//! bytes from 1 to 10 in separate files.

use crate::images::resize_one;
use crate::{Error, Images, Result, Split};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The folder that the official archive unpacks to.
pub(crate) const FOLDER: &str = "stl10_binary";
/// Side of the images, pixels.
const SIDE: usize = 96;
/// Bytes of an image.
const IMAGE: usize = 3 * SIDE * SIDE;
/// Images read before they are resized: 7 MB, so that the 2.76 GB of unlabeled images are never in
/// memory at once.
const CHUNK: usize = 256;
/// Images of FID's reference: the paper scores against 10,000 real images, and the authors used
/// only the unlabeled ones.
const REFERENCE: usize = 10_000;
/// Seeds the choice of the reference.
const REFERENCE_SEED: &[u8] = b"sngan stl10 reference 0";
const CLASSES: [&str; 10] =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

/// Files of a part: images, and labels if it has any.
pub(crate) struct Subset {
    images: &'static str,
    labels: Option<&'static str>,
    n: usize,
}

const UNLABELED: Subset = Subset { images: "unlabeled_X.bin", labels: None, n: 100_000 };
const TRAIN: Subset = Subset { images: "train_X.bin", labels: Some("train_y.bin"), n: 5_000 };
const TEST: Subset = Subset { images: "test_X.bin", labels: Some("test_y.bin"), n: 8_000 };

/// Reads a split from `data_dir/stl10_binary` at `side` pixels: the 100,000 unlabeled images; a
/// fixed 10,000 of them as reference; the 8,000 labeled test images, which are not trained on.
pub(crate) fn load(data_dir: &Path, split: Split, side: usize) -> Result<Images> {
    let folder = data_dir.join(FOLDER);
    match split {
        Split::Train => read_part(&folder, &UNLABELED, "stl10:unlabeled", None, side),
        Split::Reference => read_part(
            &folder,
            &UNLABELED,
            "stl10:unlabeled-10k",
            Some(&reference(UNLABELED.n, REFERENCE)),
            side,
        ),
        Split::HeldOut => read_part(&folder, &TEST, "stl10:test", None, side),
    }
}

/// A line about each existing part, for `sngan data verify`.
pub(crate) fn check(data_dir: &Path) -> Result<Vec<String>> {
    let folder = data_dir.join(FOLDER);
    [UNLABELED, TRAIN, TEST]
        .iter()
        .map(|part| Ok(format!("{}: {}", part.images, check_part(&folder, part)?)))
        .collect()
}

fn check_part(folder: &Path, part: &Subset) -> Result<String> {
    open(folder, part)?;
    match part.labels {
        None => Ok(format!("{} images", part.n)),
        Some(_) => Ok(format!(
            "{} images, {} well-formed labels",
            part.n,
            read_labels(folder, part)?.len()
        )),
    }
}

fn read_part(
    folder: &Path,
    part: &Subset,
    name: &str,
    chosen: Option<&[u32]>,
    side: usize,
) -> Result<Images> {
    let mut file = open(folder, part)?;
    let all: Vec<u32> = (0..part.n as u32).collect();
    let pixels = read_images(&folder.join(part.images), &mut file, chosen.unwrap_or(&all), side)?;
    let (labels, classes) = match part.labels {
        Some(_) => (read_labels(folder, part)?, CLASSES.map(String::from).into()),
        None => (vec![0; chosen.map_or(part.n, <[u32]>::len)], vec!["unlabeled".into()]),
    };
    Images::new(name.into(), side, pixels, labels, classes)
}

/// The images' file, which must have exactly the bytes of its images.
fn open(folder: &Path, part: &Subset) -> Result<File> {
    let path = folder.join(part.images);
    if !path.exists() {
        return Err(Error::Missing {
            what: "STL-10 (binary version)".into(),
            path,
            remedy: "run `sngan data fetch stl10`, or name the folder that holds stl10_binary as the data folder".into(),
        });
    }
    let file = File::open(&path).map_err(Error::io("read", &path))?;
    let length = file.metadata().map_err(Error::io("read", &path))?.len();
    check_length(&path, length, part.n)?;
    Ok(file)
}

fn check_length(path: &Path, length: u64, n: usize) -> Result<()> {
    let expected = (n * IMAGE) as u64;
    if length == expected {
        return Ok(());
    }
    let whole = (length / IMAGE as u64).min(n as u64) * IMAGE as u64;
    let reason = format!("the file has {length} bytes; {n} images of {IMAGE} bytes are {expected}");
    Err(Error::malformed(path, whole, reason))
}

/// The images `chosen`, in increasing order, resized chunk by chunk; `[N, 3, side, side]`.
fn read_images(
    path: &Path,
    file: &mut (impl Read + Seek),
    chosen: &[u32],
    side: usize,
) -> Result<Vec<u8>> {
    let mut pixels = Vec::with_capacity(chosen.len() * 3 * side * side);
    let mut chunk = vec![0; CHUNK.min(chosen.len()) * IMAGE];
    let mut position = None;
    for part in chosen.chunks(CHUNK) {
        for (&i, image) in part.iter().zip(chunk.chunks_exact_mut(IMAGE)) {
            let offset = u64::from(i) * IMAGE as u64;
            if position != Some(offset) {
                file.seek(SeekFrom::Start(offset)).map_err(Error::io("read", path))?;
            }
            file.read_exact(image).map_err(Error::io("read", path))?;
            position = Some(offset + IMAGE as u64);
        }
        let read = &chunk[..part.len() * IMAGE];
        let resized: Vec<Vec<u8>> = read
            .par_chunks_exact(IMAGE)
            .map(|image| resize_one(&rows(image), SIDE, side))
            .collect();
        resized.iter().for_each(|image| pixels.extend_from_slice(image));
    }
    Ok(pixels)
}

/// Planes stored column by column to planes stored row by row.
fn rows(columns: &[u8]) -> Vec<u8> {
    let mut rows = vec![0; columns.len()];
    for (from, to) in columns.chunks_exact(SIDE * SIDE).zip(rows.chunks_exact_mut(SIDE * SIDE)) {
        for (p, value) in to.iter_mut().enumerate() {
            *value = from[(p % SIDE) * SIDE + p / SIDE];
        }
    }
    rows
}

fn read_labels(folder: &Path, part: &Subset) -> Result<Vec<u32>> {
    let path = folder.join(part.labels.unwrap_or_default());
    let file = File::open(&path).map_err(Error::io("read", &path))?;
    let mut bytes = Vec::new();
    // One byte more than expected is enough to see that the file is too long.
    file.take(part.n as u64 + 1).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    parse_labels(&path, &bytes, part.n)
}

fn parse_labels(path: &Path, bytes: &[u8], n: usize) -> Result<Vec<u32>> {
    if bytes.len() != n {
        let found =
            if bytes.len() > n { format!("more than {n}") } else { bytes.len().to_string() };
        return Err(Error::malformed(
            path,
            bytes.len().min(n) as u64,
            format!("the file has {found} label bytes; {n} are needed"),
        ));
    }
    match bytes.iter().position(|b| !(1..=10).contains(b)) {
        Some(i) => {
            Err(Error::malformed(path, i as u64, format!("label {} is not in 1..=10", bytes[i])))
        }
        None => Ok(bytes.iter().map(|b| u32::from(*b) - 1).collect()),
    }
}

/// Reads `n` images and their labels from bytes, as from a part's two files.
pub(crate) fn parse(
    images: (&Path, &[u8]),
    labels: (&Path, &[u8]),
    n: usize,
    side: usize,
) -> Result<Images> {
    check_length(images.0, images.1.len() as u64, n)?;
    let classes = parse_labels(labels.0, labels.1, n)?;
    let all: Vec<u32> = (0..n as u32).collect();
    let pixels = read_images(images.0, &mut std::io::Cursor::new(images.1), &all, side)?;
    Images::new("stl10".into(), side, pixels, classes, CLASSES.map(String::from).into())
}

/// `k` of `n` images, in increasing order: those with the smallest hashes of seed and index. The
/// choice does not depend on a library's random generator.
fn reference(n: usize, k: usize) -> Vec<u32> {
    let hash = |i: u32| {
        let mut hash = Sha256::new();
        hash.update(REFERENCE_SEED);
        hash.update(i.to_le_bytes());
        (<[u8; 32]>::from(hash.finalize()), i)
    };
    let mut order: Vec<_> = (0..n as u32).map(hash).collect();
    order.sort_unstable();
    let mut chosen: Vec<u32> = order.into_iter().take(k).map(|(_, i)| i).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Image `i`: pixel (c, y, x) is i + 50 c + 2 y in the left half, and 9 more in the right one.
    fn image(i: u8) -> Vec<u8> {
        let value = |c: usize, x: usize, y: usize| {
            i + 50 * c as u8 + (2 * y) as u8 % 40 + if x < SIDE / 2 { 0 } else { 9 }
        };
        (0..3)
            .flat_map(|c| (0..SIDE).flat_map(move |x| (0..SIDE).map(move |y| value(c, x, y))))
            .collect()
    }

    fn folder(n: usize, labels: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let images: Vec<u8> = (0..n).flat_map(|i| image(i as u8)).collect();
        std::fs::write(folder.path().join("x.bin"), images).unwrap();
        std::fs::write(folder.path().join("y.bin"), labels).unwrap();
        folder
    }

    const THREE: Subset = Subset { images: "x.bin", labels: Some("y.bin"), n: 3 };
    const MANY: Subset = Subset { images: "x.bin", labels: None, n: 300 };

    #[test]
    fn planes_are_turned_from_columns_to_rows() {
        let folder = folder(3, &[1, 10, 5]);
        let set = read_part(folder.path(), &THREE, "t", None, SIDE).unwrap();
        assert_eq!((set.labels.as_slice(), set.len()), (&[0, 9, 4][..], 3));
        let pixel =
            |i: usize, c: usize, y: usize, x: usize| set.image(i)[(c * SIDE + y) * SIDE + x];
        assert_eq!((pixel(0, 0, 0, 0), pixel(0, 0, 0, 95), pixel(0, 0, 3, 0)), (0, 9, 6));
        assert_eq!((pixel(2, 1, 5, 47), pixel(2, 2, 5, 48)), (62, 121));
    }

    #[test]
    fn resizing_chunk_by_chunk_is_resizing_the_whole_set() {
        let folder = folder(300, &[]);
        let whole = read_part(folder.path(), &MANY, "t", None, SIDE).unwrap().resize(48);
        let chunked = read_part(folder.path(), &MANY, "t", None, 48).unwrap();
        assert_eq!(chunked.sha256(), whole.sha256());
        let chosen = reference(300, 20);
        let some = read_part(folder.path(), &MANY, "t", Some(&chosen), 48).unwrap();
        for (i, from) in chosen.iter().enumerate() {
            assert_eq!(some.image(i), whole.image(*from as usize));
        }
    }

    #[test]
    fn the_reference_is_a_fixed_choice_without_repetition() {
        let chosen = reference(UNLABELED.n, REFERENCE);
        assert!(chosen.windows(2).all(|w| w[0] < w[1]) && chosen.len() == REFERENCE);
        let mean = chosen.iter().map(|i| f64::from(*i)).sum::<f64>() / REFERENCE as f64;
        // Five standard errors of a mean of 10,000 draws from 0..100,000.
        assert!((mean - 5e4).abs() < 5.0 * 1e5 / 12f64.sqrt() / 100.0, "{mean}");
        assert_eq!(chosen[..4], [20, 30, 52, 60], "a changed choice changes every FID on STL-10");
    }

    #[test]
    fn wrong_lengths_and_labels_are_named_with_their_offset() {
        let message = |n: usize, labels: &[u8]| {
            read_part(folder(n, labels).path(), &THREE, "t", None, 8).unwrap_err().to_string()
        };
        assert!(message(2, &[1, 2, 3]).contains(
            "x.bin, offset 55296: the file has 55296 bytes; 3 images of 27648 bytes are 82944"
        ));
        assert!(message(4, &[1, 2, 3]).contains("x.bin, offset 82944: the file has 110592 bytes"));
        assert!(
            message(3, &[1, 2])
                .contains("y.bin, offset 2: the file has 2 label bytes; 3 are needed")
        );
        assert!(
            message(3, &[1, 2, 3, 4])
                .contains("y.bin, offset 3: the file has more than 3 label bytes")
        );
        assert!(message(3, &[1, 0, 3]).contains("y.bin, offset 1: label 0 is not in 1..=10"));
        let missing = load(Path::new("nowhere"), Split::Train, 48).unwrap_err().to_string();
        assert!(
            missing.contains("unlabeled_X.bin") && missing.contains("sngan data fetch stl10"),
            "{missing}"
        );
    }
}
