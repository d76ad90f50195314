//! The readers on bytes in memory: for programs that do not keep data sets in the folders of
//! [`crate::load`], and for tests that feed them arbitrary bytes.

use crate::{Images, Result, cifar10, idx, stl10};
use std::path::Path;

pub use crate::decode::{Defect, Demands, square};

const IMAGES: &str = "images";
const LABELS: &str = "labels";

/// A pair of IDX files, each raw or gzip-compressed; see [`crate::load_idx`].
///
/// # Errors
/// As [`crate::load_idx`].
pub fn idx(images: &[u8], labels: &[u8]) -> Result<Images> {
    idx::parse_pair("idx", (Path::new(IMAGES), images), (Path::new(LABELS), labels))
}

/// `records` records of CIFAR-10's binary version: one label byte and 3,072 pixel bytes each.
///
/// # Errors
/// A wrong length or label, with its offset.
pub fn cifar10(bytes: &[u8], records: usize) -> Result<Images> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    cifar10::parse(Path::new(IMAGES), bytes, records, &mut pixels, &mut labels)?;
    cifar10::images("cifar10", pixels, labels)
}

/// `n` images of STL-10's binary version with their label bytes, resized from 96 to `side` pixels.
///
/// # Errors
/// A wrong length or label, with its offset.
pub fn stl10(images: &[u8], labels: &[u8], n: usize, side: usize) -> Result<Images> {
    stl10::parse((Path::new(IMAGES), images), (Path::new(LABELS), labels), n, side)
}
