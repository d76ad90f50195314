//! The source of training images: a set in memory, or one packed on disk because it is too large
//! for memory.

use crate::{Images, Reading, Result};

static NONE: Reading = Reading::NONE;

/// Byte images `[3, side, side]` with labels, read one at a time.
///
/// [`Images`] holds all of them in memory; [`crate::pack::Packed`] reads each from disk on request.
pub trait ImageSource: std::fmt::Debug + Send + Sync {
    /// Data set and split, such as `imagenet:train`.
    fn name(&self) -> &str;

    /// Height and width, pixels.
    fn side(&self) -> usize;

    /// Class of each image, an index into [`ImageSource::classes`].
    fn labels(&self) -> &[u32];

    /// Names of the classes.
    fn classes(&self) -> &[String];

    /// Appends image `i`, `[3, side, side]`, RGB planes, 0–255, to `out`.
    ///
    /// # Errors
    /// When the image cannot be read, or no longer equals what was packed.
    ///
    /// # Panics
    /// When there is no such image.
    fn read(&self, i: usize, out: &mut Vec<u8>) -> Result<()>;

    /// The identity of the set's side, labels and pixels, in hex.
    fn sha256(&self) -> String;

    /// How the images were read, if they were pictures.
    fn reading(&self) -> &Reading {
        &NONE
    }

    /// Number of images.
    fn len(&self) -> usize {
        self.labels().len()
    }

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.labels().is_empty()
    }
}

impl ImageSource for Images {
    fn name(&self) -> &str {
        &self.name
    }

    fn side(&self) -> usize {
        self.side
    }

    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn read(&self, i: usize, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(self.image(i));
        Ok(())
    }

    fn sha256(&self) -> String {
        Images::sha256(self)
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}
