//! Images made by other programs: a folder of pictures, or an array in a NumPy or safetensors file.
//!
//! Bytes are taken as they are. Floats are read as a generator's outputs in [−1, 1] and become
//! bytes by this project's single rule ([`sngan_tensor::bytes::byte`]). Other values are refused,
//! never rescaled.

mod array;
mod folder;
mod header;

pub use array::ArrayImages;
pub use folder::{FolderImages, left_out};

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

/// Opens the images of `path`: a folder of JPEG and PNG files, or of class subfolders with such
/// files; or a `.npy`, `.npz` or `.safetensors` file. `layout` gives an array's axes if their sizes
/// leave them open.
///
/// # Errors
/// [`Error::File`], naming the file and what to do: no images, several sizes, numbers that are not
/// pixels, a truncated file.
pub fn open(path: &Path, layout: Option<Layout>) -> Result<Box<dyn ImageSource>> {
    if path.is_dir() {
        return Ok(Box::new(FolderImages::open(path)?));
    }
    if !path.exists() {
        return Err(Error::file(
            path,
            "does not exist; give a folder of images, or a .npy, .npz or .safetensors file",
        ));
    }
    Ok(Box::new(ArrayImages::open(path, layout)?))
}

/// The name under which scores record images of `path`, without its place on the machine.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned())
}
