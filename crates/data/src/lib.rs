//! Data sets as byte images: readers for CIFAR-10, IDX and image folders, the embedded Fashion-MNIST, and checked downloads.

mod cifar10;
mod embedded;
mod error;
pub mod fetch;
pub mod folder;
mod idx;
mod images;

pub use error::{Error, Result};
pub use idx::load_idx;
pub use images::Images;

use sngan_experiment::Dataset;
use std::path::Path;

/// Which part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// What GANs are trained on.
    Train,
    /// What FID compares with: CIFAR-10's test images, Fashion-MNIST's 2,000 held-out ones, a folder's `test` or `val`.
    Reference,
}

/// Loads a split at `side` pixels. `data_dir` is needed for everything but the embedded default.
///
/// # Errors
/// Missing or malformed files, each named, with what to do.
pub fn load(dataset: Dataset, split: Split, side: usize, data_dir: Option<&Path>) -> Result<Images> {
    let folder = || data_dir.ok_or_else(|| Error::Invalid(format!("dataset `{}` needs --data-dir", dataset.name())));
    match dataset {
        Dataset::FashionMnist => Ok(embedded::fashion_mnist(split)?.resize(side)),
        Dataset::Cifar10 => Ok(cifar10::load(folder()?, split)?.resize(side)),
        Dataset::Folder => folder::load_split(folder()?, split, side),
    }
}
