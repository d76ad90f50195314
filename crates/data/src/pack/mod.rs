//! Packed image folders, for training on a data set of ImageNet's size. docs/data.md describes the
//! files.
//!
//! A folder of JPEG files is decoded, cropped and resized once ([`pack`]); training then reads
//! single images from one file ([`Packed`]), so that memory holds only labels and checksums.

mod header;
mod read;
mod write;

pub use header::{Header, PackPlan};
pub use read::Packed;
pub use write::{Options, PackProgress, Rejected, pack};

/// Written last: without it, there is no pack.
/// The file that makes a folder a pack.
pub const HEADER: &str = "pack.json";
/// What a pack in progress is made from.
const PLAN: &str = "plan.json";
/// Records of [`RECORD`] bytes: label (u32, little-endian) and SHA-256 of the image's bytes.
const INDEX: &str = "index.bin";
/// The images, `[N, 3, side, side]`.
const PIXELS: &str = "pixels.bin";
/// Files that gave no image, with the reason.
const REJECTED: &str = "rejected.json";
/// Bytes of a record of the index.
const RECORD: usize = 4 + 32;
/// Version of the files; a reader refuses every other.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests;
