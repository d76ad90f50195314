//! The contents of a pack's JSON files, and the check of its index.

use super::{RECORD, VERSION};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;

/// The largest side of packed images, pixels.
pub(super) const LARGEST_SIDE: usize = 4096;

/// What a pack is made from, and how: decides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackPlan {
    /// Version of the format.
    pub version: u32,
    /// Data set and split, such as `imagenet:train`.
    pub name: String,
    /// Height and width of the packed images, pixels.
    pub side: usize,
    /// Images with a shorter side than this are left out; 0 leaves out none.
    pub min_side: u32,
    /// Names of the classes, sorted; a label is an index here.
    pub classes: Vec<String>,
    /// Image files in the folder.
    pub files: u64,
    /// SHA-256 of the files' labels and names, in order.
    pub listing_sha256: String,
    /// The decoder of the files that are JPEGs ([`crate::JPEG_DECODER`]); none if there is no such
    /// file, or in a pack made before packs recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<String>,
}

/// `pack.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What was packed.
    pub plan: PackPlan,
    /// Images in the pack.
    pub images: u64,
    /// Files that gave no image.
    pub rejected: u64,
    /// SHA-256 of side, classes and index, and so of every label and pixel: the set's identity.
    pub sha256: String,
}

impl PackPlan {
    /// Bytes of one image.
    pub(super) fn image_bytes(&self) -> usize {
        3 * self.side * self.side
    }
}

impl Header {
    /// Reads `pack.json`; `path` is for messages.
    ///
    /// # Errors
    /// Malformed JSON, another version, invalid sizes.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Header> {
        let malformed = |reason: String| Error::malformed(path, 0, reason);
        let header: Header = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
        let plan = &header.plan;
        if plan.version != VERSION {
            return Err(malformed(format!(
                "format version {}; this build reads {VERSION}",
                plan.version
            )));
        }
        if plan.side == 0 || plan.side > LARGEST_SIDE {
            return Err(malformed(format!("side {} is not in 1..={LARGEST_SIDE}", plan.side)));
        }
        // Image numbers are u32, as everywhere in training.
        if header.images == 0 || header.images > u64::from(u32::MAX) {
            return Err(malformed(format!(
                "{} images; a pack has 1 to {}",
                header.images,
                u32::MAX
            )));
        }
        Ok(header)
    }

    /// Classes without an image, given the index's labels: nothing is learned about them.
    pub(super) fn classes_without_images(&self, labels: &[u32]) -> Vec<&str> {
        let present: BTreeSet<u32> = labels.iter().copied().collect();
        (0..)
            .zip(&self.plan.classes)
            .filter(|(label, _)| !present.contains(label))
            .map(|(_, name)| name.as_str())
            .collect()
    }

    /// Bytes of one image.
    pub fn image_bytes(&self) -> usize {
        self.plan.image_bytes()
    }

    /// Labels and checksums of the index in `bytes`, which must be what the header says; `path` is for messages.
    ///
    /// # Errors
    /// A wrong length, a label without a class, a wrong checksum.
    pub fn parse_index(&self, path: &Path, bytes: &[u8]) -> Result<(Vec<u32>, Vec<[u8; 32]>)> {
        if bytes.len() as u64 != self.images * RECORD as u64 {
            let reason = format!(
                "the file has {} bytes; {} records of {RECORD} bytes are needed",
                bytes.len(),
                self.images
            );
            return Err(Error::malformed(path, bytes.len() as u64, reason));
        }
        let (mut labels, mut digests) =
            (Vec::with_capacity(bytes.len() / RECORD), Vec::with_capacity(bytes.len() / RECORD));
        for (i, record) in bytes.as_chunks::<RECORD>().0.iter().enumerate() {
            let (label, digest) = record.split_at(4);
            let label = label.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
            if label as usize >= self.plan.classes.len() {
                let reason = format!("label {label} among {} classes", self.plan.classes.len());
                return Err(Error::malformed(path, (i * RECORD) as u64, reason));
            }
            labels.push(label);
            digests.push(digest.try_into().unwrap_or_default());
        }
        let found = identity(&self.plan, bytes);
        if found != self.sha256 {
            let reason = format!(
                "side, classes and index have sha256 {found}, the header says {}; run `sngan data pack` into another folder",
                self.sha256
            );
            return Err(Error::malformed(path, 0, reason));
        }
        Ok((labels, digests))
    }
}

/// The identity of a pack: SHA-256 of side, classes and index, in hex.
pub(super) fn identity(plan: &PackPlan, index: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update((plan.side as u64).to_le_bytes());
    hash.update((plan.classes.len() as u64).to_le_bytes());
    for class in &plan.classes {
        hash.update((class.len() as u64).to_le_bytes());
        hash.update(class);
    }
    hash.update(index);
    hex::encode(hash.finalize())
}
