//! IDX files (MNIST's format), raw or gzip-compressed.

use crate::images::Images;
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::path::Path;

/// A file with more bytes than this after its header is refused: Fashion-MNIST's largest has 47 MB.
const LIMIT: u64 = 64 << 20;
const IMAGES_MAGIC: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// The ten classes of Fashion-MNIST, by label.
pub(crate) const FASHION_CLASSES: [&str; 10] = [
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// Reads a pair of IDX files of square gray images and labels below 10; gray is replicated to three
/// channels.
///
/// # Errors
/// Wrong magic, length or label, truncated gzip: each names file and offset.
pub fn load_idx(images: &Path, labels: &Path) -> Result<Images> {
    let read = |path: &Path| sngan_experiment::regular::read(path).map_err(Error::io("read", path));
    let name = images.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    parse_pair(&name, (images, &read(images)?), (labels, &read(labels)?))
}

/// A line about the training and the test images of Fashion-MNIST, for `sngan data verify`.
pub(crate) fn check_fashion_mnist(data_dir: &Path) -> Result<Vec<String>> {
    let folder = data_dir.join("fashion-mnist");
    let line = |part: &str| {
        let file = |kind: &str| folder.join(format!("{part}-{kind}-ubyte.gz"));
        let images = load_idx(&file("images-idx3"), &file("labels-idx1"))?;
        Ok(format!("{}: {} well-formed images", images.name, images.len()))
    };
    ["train", "t10k"].into_iter().map(line).collect()
}

/// [`load_idx`] on bytes; the paths are for messages.
pub(crate) fn parse_pair(
    name: &str,
    images: (&Path, &[u8]),
    labels: (&Path, &[u8]),
) -> Result<Images> {
    let (image_dims, grey) = parse(images.0, images.1, IMAGES_MAGIC)?;
    let (label_dims, label_bytes) = parse(labels.0, labels.1, LABELS_MAGIC)?;
    let [n, height, width] = image_dims[..] else {
        return Err(Error::malformed(images.0, 0, "no three dimensions"));
    };
    if height != width {
        return Err(Error::malformed(
            images.0,
            8,
            format!("images are {height}x{width}; square ones are needed"),
        ));
    }
    if label_dims[0] != n {
        return Err(Error::malformed(
            labels.0,
            4,
            format!("{} labels for {n} images in {}", label_dims[0], images.0.display()),
        ));
    }
    if let Some(i) = label_bytes.iter().position(|l| *l as usize >= FASHION_CLASSES.len()) {
        return Err(Error::malformed(
            labels.0,
            8 + i as u64,
            format!("label {} is not below 10", label_bytes[i]),
        ));
    }
    let area = (height * width).max(1);
    let pixels = grey
        .chunks_exact(area)
        .flat_map(|plane| plane.iter().cycle().take(3 * area))
        .copied()
        .collect();
    let classes = FASHION_CLASSES.iter().map(|c| (*c).to_string()).collect();
    Images::new(
        name.into(),
        height,
        pixels,
        label_bytes.iter().map(|l| u32::from(*l)).collect(),
        classes,
    )
}

/// Dimensions and the bytes after the header, checked against each other. Compressed data is
/// inflated no further than the header declares, and not at all if that is more than [`LIMIT`].
fn parse(path: &Path, bytes: &[u8], magic: u32) -> Result<(Vec<usize>, Vec<u8>)> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return parse_stream(path, MultiGzDecoder::new(bytes), magic);
    }
    parse_stream(path, bytes, magic)
}

fn parse_stream(path: &Path, mut stream: impl Read, magic: u32) -> Result<(Vec<usize>, Vec<u8>)> {
    let corrupt = |offset: usize, e: std::io::Error| {
        let reason = format!("gzip stream is cut or corrupt ({e}); download the file again");
        Error::malformed(path, offset as u64, reason)
    };
    let rank = (magic & 0xff) as usize;
    let header = 4 * (rank + 1);
    let mut read = Vec::new();
    stream.by_ref().take(header as u64).read_to_end(&mut read).map_err(|e| corrupt(0, e))?;
    let words: Vec<u32> = read.as_chunks().0.iter().map(|b| u32::from_be_bytes(*b)).collect();
    if let Some(found) = words.first().filter(|w| **w != magic) {
        return Err(Error::malformed(
            path,
            0,
            format!("magic {found:#010x}; an IDX file of this kind starts with {magic:#010x}"),
        ));
    }
    if words.len() <= rank {
        return Err(Error::malformed(path, read.len() as u64, "the header is cut"));
    }
    let dims: Vec<usize> = words[1..].iter().map(|d| *d as usize).collect();
    let expected =
        dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64)).filter(|n| *n <= LIMIT);
    let expected = expected.ok_or_else(|| {
        Error::malformed(
            path,
            4,
            format!("the header promises {dims:?} bytes; at most {LIMIT} are read"),
        )
    })?;
    let mut body = Vec::new();
    stream
        .take(expected + 1)
        .read_to_end(&mut body)
        .map_err(|e| corrupt(header + body.len(), e))?;
    if body.len() as u64 != expected {
        let follow =
            if body.len() as u64 > expected { "more".to_string() } else { body.len().to_string() };
        return Err(Error::malformed(
            path,
            (header + body.len()) as u64,
            format!("the header promises {dims:?} bytes, {follow} follow"),
        ));
    }
    Ok((dims, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn images(n: u32, body: usize) -> Vec<u8> {
        let mut b: Vec<u8> = [IMAGES_MAGIC, n, 2, 2].iter().flat_map(|w| w.to_be_bytes()).collect();
        b.extend((0..body).map(|i| i as u8));
        b
    }

    fn labels(l: &[u8]) -> Vec<u8> {
        let mut b: Vec<u8> =
            [LABELS_MAGIC, l.len() as u32].iter().flat_map(|w| w.to_be_bytes()).collect();
        b.extend(l);
        b
    }

    fn pair(i: &[u8], l: &[u8]) -> Result<Images> {
        parse_pair("p", (Path::new("i"), i), (Path::new("l"), l))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    }

    #[test]
    fn grey_becomes_three_equal_channels() {
        let set = pair(&gzip(&images(2, 8)), &labels(&[3, 9])).unwrap();
        assert_eq!(set.image(1), [4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7]);
        assert_eq!(set.labels, [3, 9]);
    }

    #[test]
    fn every_defect_names_file_and_offset() {
        let message = |i: &[u8], l: &[u8]| pair(i, l).unwrap_err().to_string();
        assert!(message(&labels(&[1]), &labels(&[1])).contains("i, offset 0: magic 0x00000801"));
        assert!(
            message(&images(2, 7), &labels(&[1, 2])).contains("promises [2, 2, 2] bytes, 7 follow")
        );
        assert!(message(&images(u32::MAX, 8), &labels(&[1, 2])).contains("promises"));
        assert!(
            message(&images(2, 8), &labels(&[1])).contains("l, offset 4: 1 labels for 2 images")
        );
        assert!(message(&images(2, 8), &labels(&[1, 10])).contains("l, offset 9: label 10"));
        assert!(message(&[0, 0], &labels(&[])).contains("header is cut"));
        let cut = gzip(&images(2, 8));
        assert!(message(&cut[..cut.len() - 9], &labels(&[1, 2])).contains("cut or corrupt"));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(i in prop::collection::vec(any::<u8>(), 0..64), l in prop::collection::vec(any::<u8>(), 0..32)) {
            let _ = pair(&i, &l);
            let _ = pair(&[&[0, 0, 8, 3], &i[..]].concat(), &[&[0, 0, 8, 1], &l[..]].concat());
        }
    }
}
