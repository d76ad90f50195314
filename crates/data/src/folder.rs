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
