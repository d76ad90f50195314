//! Image folders: one subfolder per class, JPEG or PNG files; center crop, then resize.

use crate::decode::{Defect, Demands, square};
use crate::{Error, Images, Result, Split};
use rayon::prelude::*;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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

/// Reads a folder of class subfolders, classes and files in sorted order.
///
/// # Errors
/// No class folder, an empty one, an unreadable image (named).
pub fn load_classes(folder: &Path, side: usize) -> Result<Images> {
    let Listing { classes, files } = Listing::of(folder)?;
    let path = |(label, name): &(u32, OsString)| folder.join(&classes[*label as usize]).join(name);
    let decoded: Vec<Vec<u8>> =
        files.par_iter().map(|file| decode(&path(file), side)).collect::<Result<_>>()?;
    let labels = files.iter().map(|(label, _)| *label).collect();
    Images::new("folder".into(), side, decoded.concat(), labels, classes)
}

/// The image files of a folder of class subfolders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Names of the subfolders, sorted: a class's label is its index here.
    pub(crate) classes: Vec<String>,
    /// Label and file name of each image, by class, then by name.
    pub(crate) files: Vec<(u32, OsString)>,
}

impl Listing {
    /// Lists JPEG and PNG files by their extension. Folders and files whose names begin with a dot
    /// belong to tools and are ignored.
    ///
    /// # Errors
    /// No class folder, an empty one, one whose name is not UTF-8.
    pub(crate) fn of(folder: &Path) -> Result<Listing> {
        let mut listing = Listing { classes: Vec::new(), files: Vec::new() };
        for class in entries(folder)?.into_iter().filter(|p| p.is_dir()) {
            let label = listing.classes.len() as u32;
            let before = listing.files.len();
            let images = entries(&class)?.into_iter().filter(|p| is_image(p));
            listing.files.extend(images.filter_map(|p| Some((label, p.file_name()?.to_owned()))));
            if listing.files.len() == before {
                let remedy = "remove the empty class folder, or fill it".into();
                return Err(Error::Missing {
                    what: "a JPEG or PNG image".into(),
                    path: class,
                    remedy,
                });
            }
            let name = class.file_name().and_then(|n| n.to_str());
            let unnamed =
                || Error::Invalid(format!("{}: a class's name must be UTF-8", class.display()));
            listing.classes.push(name.ok_or_else(unnamed)?.to_string());
        }
        if listing.classes.is_empty() {
            let (what, remedy) =
                ("a class subfolder".into(), "expected <class>/*.jpg or *.png".into());
            return Err(Error::Missing { what, path: folder.into(), remedy });
        }
        Ok(listing)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if !path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| matches!(e.as_str(), "jpg" | "jpeg" | "png"))
}

fn decode(path: &Path, side: usize) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    square(&bytes, side, Demands::default()).map_err(|defect| match defect {
        Defect::Unreadable { offset, reason } => Error::Image { path: path.into(), offset, reason },
        Defect::Small { width, height } => Error::Image {
            path: path.into(),
            offset: 0,
            reason: format!("it has {width}x{height} pixels"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

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

        let mut whole = Vec::new();
        let noise = image::RgbImage::from_fn(32, 32, |x, y| {
            image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, 3])
        });
        noise.write_to(&mut Cursor::new(&mut whole), image::ImageFormat::Jpeg).unwrap();
        std::fs::write(folder.path().join("a/2.jpg"), &whole).unwrap();
        load_classes(folder.path(), 4).unwrap();
        let half = whole.len() - 100;
        std::fs::write(folder.path().join("a/2.jpg"), &whole[..half]).unwrap();
        let message = load_classes(folder.path(), 4).unwrap_err().to_string();
        assert!(message.contains(&format!("2.jpg, offset {half}: unreadable image")), "{message}");
        std::fs::remove_file(folder.path().join("a/2.jpg")).unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        assert!(load_classes(folder.path(), 4).unwrap_err().to_string().contains("/b: "));
    }
}
