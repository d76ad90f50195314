//! Data sets as byte images: readers for CIFAR-10, STL-10, IDX and image folders, packs for folders
//! too large for memory, the embedded Fashion-MNIST, and checked downloads.
//!
//! ```
//! use sngan_data::{ImageSource, Split, load};
//! use sngan_experiment::Dataset;
//!
//! let images = load(Dataset::FashionMnist, Split::HeldOut, 16, None)?;
//! assert_eq!((images.len(), images.side(), images.classes().len()), (2000, 16, 10));
//! # Ok::<(), sngan_data::Error>(())
//! ```

mod archive;
mod cifar10;
mod decode;
mod embedded;
mod error;
pub mod fetch;
pub mod folder;
mod idx;
pub mod imagenet;
mod images;
mod jpeg;
mod listing;
pub mod pack;
pub mod parse;
pub mod picture;
mod places;
mod source;
pub mod sources;
mod stl10;

pub use error::{Error, Result};
pub use idx::load_idx;
pub use images::{Images, resize};
pub use jpeg::DECODER as JPEG_DECODER;
pub use listing::{Listing, Reading};
pub use places::Places;
pub use source::ImageSource;

use sngan_experiment::Dataset;
use std::path::Path;

/// Which part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// What GANs are trained on.
    Train,
    /// What FID compares with: CIFAR-10's test images, 10,000 of STL-10's unlabeled ones, Fashion-MNIST's 2,000 held-out ones, ImageNet's
    /// `val`, a folder's `test` or `val`.
    Reference,
    /// Images that are not trained on: the reference. For STL-10, whose reference is also trained
    /// on, these are the 8,000 labeled test images.
    HeldOut,
}

/// Loads a split into memory, at `side` pixels. `data_dir` is needed for everything but the embedded default.
///
/// # Errors
/// Missing or malformed files, each named, with what to do.
pub fn load(
    dataset: Dataset,
    split: Split,
    side: usize,
    data_dir: Option<&Path>,
) -> Result<Images> {
    match dataset {
        Dataset::FashionMnist => Ok(embedded::fashion_mnist(split)?.resize(side)),
        Dataset::Cifar10 => Ok(cifar10::load(needed(dataset, data_dir)?, split)?.resize(side)),
        Dataset::Stl10 => stl10::load(needed(dataset, data_dir)?, split, side),
        Dataset::ImageNet => imagenet::open(needed(dataset, data_dir)?, split, side)?.load(),
        Dataset::Folder => folder::load_split(needed(dataset, data_dir)?, split, side),
    }
}

/// A split to train from, at `side` pixels: in memory, except for ImageNet, which is read from its
/// pack image by image.
///
/// # Errors
/// As [`load`].
pub fn open(
    dataset: Dataset,
    split: Split,
    side: usize,
    data_dir: Option<&Path>,
) -> Result<Box<dyn ImageSource>> {
    match dataset {
        Dataset::ImageNet => Ok(Box::new(imagenet::open(needed(dataset, data_dir)?, split, side)?)),
        Dataset::FashionMnist | Dataset::Cifar10 | Dataset::Stl10 | Dataset::Folder => {
            Ok(Box::new(load(dataset, split, side, data_dir)?))
        }
    }
}

fn needed(dataset: Dataset, data_dir: Option<&Path>) -> Result<&Path> {
    data_dir
        .ok_or_else(|| Error::Invalid(format!("dataset `{}` needs a data folder", dataset.name())))
}
