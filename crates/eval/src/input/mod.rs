//! Images made by other programs: a folder of pictures, or an array in a NumPy or safetensors file.
//!
//! Bytes are taken as they are. Floats become bytes by this project's single rule
//! ([`sngan_tensor::bytes::byte`]) from the range that is told ([`Range`]). Values outside of it are
//! refused, and so are floats whose range is neither told nor certain: nothing is ever rescaled to
//! what is found in a file.

mod array;
mod folder;
mod header;
mod range;

pub use array::ArrayImages;
pub use folder::FolderImages;
pub use range::Range;

use crate::{Error, Result};
use sngan_data::ImageSource;
use std::path::Path;

/// Order of the axes of an array of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[N, H, W, C]`.
    Nhwc,
    /// `[N, C, H, W]`.
    Nchw,
}

/// What an array's file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArrayOptions {
    /// Its axes, if their sizes leave them open.
    pub layout: Option<Layout>,
    /// The range of its numbers, if they are floats.
    pub range: Option<Range>,
}

/// Opens the images of `path`: a folder of JPEG and PNG files, or of class subfolders with such
/// files; or a `.npy`, `.npz` or `.safetensors` file. `options` are for the latter.
///
/// # Errors
/// [`Error::File`], naming the file and what to do: no images, several sizes, numbers that are not
/// pixels, a truncated file.
pub fn open(path: &Path, options: ArrayOptions) -> Result<Box<dyn ImageSource>> {
    if path.is_dir() {
        return Ok(Box::new(FolderImages::open(path)?));
    }
    if !path.exists() {
        return Err(Error::file(
            path,
            "does not exist; give a folder of images, or a .npy, .npz or .safetensors file",
        ));
    }
    Ok(Box::new(ArrayImages::open(path, options)?))
}

/// The name under which scores record images of `path`, without its place on the machine.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned())
}
