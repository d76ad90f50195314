//! Pictures of any size through Inception: each goes from its own height and width to the network's input, without a step in between.

use crate::collect::tell;
use crate::inception::{Prepared, TOGETHER};
use crate::input::name_of;
use crate::moments::{Few, Moments, MomentsSum};
use crate::{BlockProgress, Error, Inception, Result, inception};
use rayon::prelude::*;
use sngan_data::{Listing, Reading, picture};
use std::path::{Path, PathBuf};

/// JPEG and PNG files of a folder and its subfolders, as [`Listing`] finds them, of any sizes.
#[derive(Debug)]
pub struct PictureFolder {
    name: String,
    files: Vec<PathBuf>,
    /// Height and width of each, pixels.
    sizes: Vec<[usize; 2]>,
    reading: Reading,
}

impl PictureFolder {
    /// Lists the files and reads the size of each.
    ///
    /// # Errors
    /// No picture in the folder, or one whose header cannot be read.
    pub fn open(folder: &Path) -> Result<PictureFolder> {
        let listing = Listing::of(folder)?;
        let files: Vec<PathBuf> = (0..listing.files.len()).map(|i| listing.path(i)).collect();
        let size = |file: &PathBuf| {
            let (width, height) = picture::dimensions(file)?;
            Ok([height as usize, width as usize])
        };
        let sizes = files.par_iter().map(size).collect::<Result<_>>()?;
        Ok(PictureFolder { name: name_of(folder), files, sizes, reading: listing.reading() })
    }

    /// The folder's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How the files were read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Height and width of all pictures; else the first that has another size, with its own.
    ///
    /// # Errors
    /// [`Error::File`], naming that picture.
    pub fn size(&self) -> Result<[usize; 2]> {
        let first = self.sizes.first().copied().unwrap_or_default();
        match self.sizes.iter().position(|size| *size != first) {
            None => Ok(first),
            Some(other) => {
                let [[height, width], [h, w]] = [self.sizes[other], first];
                let reason =
                    format!("has {width}x{height} pixels, but {} {w}x{h}", self.files[0].display());
                Err(Error::file(&self.files[other], reason))
            }
        }
    }

    /// Mean and covariance of Inception's features of all pictures, few or many.
    ///
    /// # Errors
    /// A picture that cannot be decoded; [`Error::Interrupted`].
    pub fn moments(&self, inception: &Inception, progress: &BlockProgress<'_>) -> Result<Moments> {
        let mut sum = MomentsSum::new(inception::POOL)?;
        for (i, files) in self.files.chunks(TOGETHER).enumerate() {
            tell(progress, i * TOGETHER, self.len())?;
            let prepared = |file: &PathBuf| {
                let picture = picture::whole(file)?;
                inception.prepare(&picture.planes, picture.height, picture.width)
            };
            let inputs: Vec<Prepared> = files.par_iter().map(prepared).collect::<Result<_>>()?;
            sum.add(&inception.pool(inputs))?;
        }
        tell(progress, self.len(), self.len())?;
        sum.finish(Few::Allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_another_size_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, width, height| {
            let path = folder.path().join(name);
            image::RgbImage::new(width, height).save(path).unwrap();
        };
        save("1.png", 5, 3);
        save("2.png", 5, 3);
        let pictures = PictureFolder::open(folder.path()).unwrap();
        assert_eq!((pictures.len(), pictures.size().unwrap()), (2, [3, 5]));
        save("3.png", 3, 5);
        let said = PictureFolder::open(folder.path()).unwrap().size().unwrap_err().to_string();
        assert!(said.contains("3.png") && said.contains("has 3x5 pixels, but"), "{said}");
    }
}
