//! A folder of pictures of one size.

use super::name_of;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use sngan_data::{ImageSource, Listing, Reading, picture};
use std::path::{Path, PathBuf};

/// JPEG and PNG files of a folder and its subfolders, as [`Listing`] finds them. All are squares of
/// one side.
#[derive(Debug)]
pub struct FolderImages {
    name: String,
    side: usize,
    files: Vec<PathBuf>,
    labels: Vec<u32>,
    classes: Vec<String>,
    reading: Reading,
}

impl FolderImages {
    /// Lists the files and reads the size of each.
    ///
    /// # Errors
    /// [`Error::File`]: no image in the folder, or one that cannot be read, is not square or has
    /// another size than the first.
    pub fn open(folder: &Path) -> Result<FolderImages> {
        let listing = Listing::of(folder)?;
        let files: Vec<PathBuf> = (0..listing.files.len()).map(|i| listing.path(i)).collect();
        let side = side_of(&files[0])?;
        for file in &files {
            let other = side_of(file)?;
            if other != side {
                let reason = format!(
                    "has side {other}, but {} has side {side}; resize all images to one side",
                    files[0].display()
                );
                return Err(Error::file(file, reason));
            }
        }
        let labels = listing.files.iter().map(|(label, _)| *label).collect();
        let reading = listing.reading();
        Ok(FolderImages {
            name: name_of(folder),
            side,
            files,
            labels,
            classes: listing.classes,
            reading,
        })
    }
}

/// Side of a picture, from its header.
fn side_of(path: &Path) -> Result<usize> {
    let (width, height) = picture::dimensions(path)?;
    if width != height {
        return Err(Error::file(
            path,
            format!("has {width}x{height} pixels; crop or resize all images to squares"),
        ));
    }
    Ok(width as usize)
}

impl ImageSource for FolderImages {
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

    fn reading(&self) -> &Reading {
        &self.reading
    }

    fn read(&self, i: usize, out: &mut Vec<u8>) -> sngan_data::Result<()> {
        out.extend(picture::load(&self.files[i], self.side)?);
        Ok(())
    }

    fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            // A file that cannot be read is an error when it is scored; here it only changes the
            // hash.
            hash.update(picture::read(file).unwrap_or_default());
        }
        // The same files are other images to another decoder.
        self.reading.jpeg.iter().for_each(|decoder| hash.update(decoder));
        hex::encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, width: u32, height: u32, value: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(width, height, image::Rgb([value, 0, 255])).save(path).unwrap();
    }

    fn message(path: &Path) -> String {
        FolderImages::open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_flat_folder_and_one_with_classes_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("flat/2.png"), 4, 4, 2);
        png(&folder.path().join("flat/1.png"), 4, 4, 1);
        std::fs::write(folder.path().join("flat/notes.txt"), "none").unwrap();
        let flat = FolderImages::open(&folder.path().join("flat")).unwrap();
        let mut first = Vec::new();
        flat.read(0, &mut first).unwrap();
        assert_eq!((flat.len(), flat.side(), first[0], flat.name()), (2, 4, 1, "flat"));
        let said = &flat.reading().remarks[0];
        assert!(said.starts_with("1 file is neither") && said.ends_with("notes.txt"), "{said}");
        png(&folder.path().join("classes/b/1.png"), 4, 4, 1);
        png(&folder.path().join("classes/a/1.png"), 4, 4, 1);
        let classes = FolderImages::open(&folder.path().join("classes")).unwrap();
        assert_eq!(
            (classes.labels(), classes.classes()),
            (&[0, 1][..], &["a".to_string(), "b".into()][..])
        );
    }

    #[test]
    fn folders_that_cannot_be_scored_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        assert!(message(folder.path()).contains("no JPEG or PNG"));
        png(&folder.path().join("1.png"), 4, 4, 1);
        png(&folder.path().join("2.png"), 8, 8, 1);
        let said = message(folder.path());
        assert!(said.contains("2.png: has side 8, but") && said.contains("resize all"), "{said}");
        png(&folder.path().join("2.png"), 8, 4, 1);
        assert!(message(folder.path()).contains("8x4 pixels"));
        std::fs::write(folder.path().join("2.png"), "no picture").unwrap();
        assert!(message(folder.path()).contains("unreadable image: it is neither"));
    }
}
