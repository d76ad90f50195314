//! Image folders for training: `train/<class>/`, `test/<class>/`; center crop, then resize.

use crate::listing::Listing;
use crate::{Error, Images, Result, Split, picture};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Pictures decoded before they are copied into the set.
const CHUNK: usize = 256;

/// Reads `root/train` or `root/test` (also `val`), each with class subfolders, at `side` pixels.
pub(crate) fn load_split(root: &Path, split: Split, side: usize) -> Result<Images> {
    let names: &[&str] = match split {
        Split::Train => &["train"],
        Split::Reference | Split::HeldOut => &["test", "val"],
    };
    let folder = names.iter().map(|n| root.join(n)).find(|f| f.is_dir());
    let folder = folder.ok_or_else(|| Error::Missing {
        what: format!("an image folder's split `{}`", names[0]),
        path: root.into(),
        remedy: "expected train/<class>/*.jpg and test/<class>/*.jpg (or val/), JPEG or PNG".into(),
    })?;
    let mut images = load_classes(&folder, side)?;
    images.name = format!("folder:{}", names[0]);
    Ok(images)
}

/// Where an image folder's training pictures are: in `train`, if it has one, else anywhere in it.
pub fn training_part(root: &Path) -> PathBuf {
    let train = root.join("train");
    if train.is_dir() { train } else { root.into() }
}

/// Reads a split of your own image folder at `side` pixels. One with `train` is read as
/// [`load_split`] does; in any other, flat or with a folder for each class, all pictures are trained
/// on and compared with, and none is held out.
pub(crate) fn load_own(root: &Path, split: Split, side: usize) -> Result<Images> {
    let whole = training_part(root) == root;
    let mut images = match split {
        Split::HeldOut if whole => {
            return Err(Error::Missing {
                what: "a held-out image".into(),
                path: root.into(),
                remedy: "all of its pictures are trained on; put these into train/ and others into test/".into(),
            });
        }
        Split::Train | Split::Reference if whole => load_classes(root, side)?,
        Split::Train | Split::Reference | Split::HeldOut => load_split(root, split, side)?,
    };
    let root = root.canonicalize().map_err(Error::io("find", root))?;
    if whole {
        images.name = format!("folder:{}", name_of(&root));
    }
    images.reading.folder = Some(root);
    Ok(images)
}

/// A folder's own name, without its place on the machine.
pub fn name_of(folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.into());
    real.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned())
}

/// Reads the pictures of a folder as [`Listing`] finds them, at `side` pixels.
///
/// # Errors
/// No picture; classes without one; one that cannot be read (named).
pub fn load_classes(folder: &Path, side: usize) -> Result<Images> {
    let listing = Listing::of(folder)?;
    listing.require_classes_with_pictures()?;
    let paths: Vec<PathBuf> = (0..listing.files.len()).map(|i| listing.path(i)).collect();
    let mut pixels = Vec::with_capacity(paths.len() * 3 * side * side);
    for chunk in paths.chunks(CHUNK) {
        let decoded: Vec<Vec<u8>> =
            chunk.par_iter().map(|path| picture::load(path, side)).collect::<Result<_>>()?;
        decoded.iter().for_each(|image| pixels.extend_from_slice(image));
    }
    let labels = listing.files.iter().map(|(label, _)| *label).collect();
    let reading = listing.reading();
    let images = Images::new("folder".into(), side, pixels, labels, listing.classes)?;
    Ok(Images { reading, ..images })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, width: u32, height: u32, f: impl Fn(u32) -> u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_fn(width, height, |x, _| image::Rgb([f(x), 0, 255]))
            .save(path)
            .unwrap();
    }

    #[test]
    fn classes_are_sorted_and_the_centre_is_cropped() {
        let folder = tempfile::tempdir().unwrap();
        png(
            &folder.path().join("train/b/1.png"),
            8,
            4,
            |x| if (2..6).contains(&x) { 90 } else { 0 },
        );
        png(&folder.path().join("train/a/1.PNG"), 4, 4, |_| 7);
        let set = load_split(folder.path(), Split::Train, 4).unwrap();
        assert_eq!(
            (set.classes.as_slice(), set.labels.as_slice()),
            (&["a".to_string(), "b".into()][..], &[0, 1][..])
        );
        assert!(
            set.image(1)[..16].iter().all(|p| *p == 90)
                && set.image(1)[32..].iter().all(|p| *p == 255)
        );
        assert!(
            load_split(folder.path(), Split::Reference, 4)
                .unwrap_err()
                .to_string()
                .contains("expected train/<class>")
        );
    }

    #[test]
    fn an_unreadable_image_and_an_empty_class_are_named() {
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("a/1.png"), 4, 4, |_| 7);
        std::fs::write(folder.path().join("a/2.jpg"), b"no image").unwrap();
        let message = load_classes(folder.path(), 4).unwrap_err().to_string();
        assert!(
            message.contains("2.jpg, offset ") && message.contains("unreadable image"),
            "{message}"
        );

        let whole = crate::jpeg::tests::file("420 baseline");
        std::fs::write(folder.path().join("a/2.jpg"), &whole).unwrap();
        let read = load_classes(folder.path(), 4).unwrap();
        assert_eq!(read.reading.jpeg.as_deref(), Some(crate::JPEG_DECODER));
        let half = whole.len() - 100;
        std::fs::write(folder.path().join("a/2.jpg"), &whole[..half]).unwrap();
        let message = load_classes(folder.path(), 4).unwrap_err().to_string();
        assert!(message.contains(&format!("2.jpg, offset {half}: unreadable image")), "{message}");
        std::fs::remove_file(folder.path().join("a/2.jpg")).unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        assert!(load_classes(folder.path(), 4).unwrap_err().to_string().contains("/b: "));
    }
}
