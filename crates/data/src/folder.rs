//! Image folders: one subfolder a class, JPEG or PNG files; centre crop, then resize.

use crate::images::to_planes;
use crate::{Error, Images, Result, Split};
use image::imageops::{self, FilterType};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Reads `root/train` or `root/test` (also `val`), each with class subfolders, at `side` pixels.
pub(crate) fn load_split(root: &Path, split: Split, side: usize) -> Result<Images> {
    let names: &[&str] = match split {
        Split::Train => &["train"],
        Split::Reference => &["test", "val"],
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
    let classes: Vec<PathBuf> = entries(folder)?.into_iter().filter(|p| p.is_dir()).collect();
    if classes.is_empty() {
        return Err(Error::Missing {
            what: "a class subfolder".into(),
            path: folder.into(),
            remedy: "expected <class>/*.jpg or *.png".into(),
        });
    }
    let mut files = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let before = files.len();
        files.extend(entries(class)?.into_iter().filter(|p| is_image(p)).map(|p| (label as u32, p)));
        if files.len() == before {
            return Err(Error::Missing {
                what: "a JPEG or PNG image".into(),
                path: class.clone(),
                remedy: "remove the empty class folder, or fill it".into(),
            });
        }
    }
    let decoded: Vec<Vec<u8>> = files.par_iter().map(|(_, path)| decode(path, side)).collect::<Result<_>>()?;
    let name = |p: &PathBuf| p.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let labels = files.iter().map(|(label, _)| *label).collect();
    Images::new("folder".into(), side, decoded.concat(), labels, classes.iter().map(name).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        found.push(entry.map_err(Error::io("list", folder))?.path());
    }
    found.sort();
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| matches!(e.as_str(), "jpg" | "jpeg" | "png"))
}

/// Whether a JPEG's last scan is not closed by an end marker. The decoder fills what is missing with grey and says nothing.
fn is_cut_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|w| *w == [0xff, marker]);
    let (start_of_scan, end_of_image) = (last(0xda), last(0xd9));
    bytes.starts_with(&[0xff, 0xd8]) && end_of_image < start_of_scan
}

/// Decodes, crops the centre square and resizes; `[3, side, side]`.
fn decode(path: &Path, side: usize) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut cursor = Cursor::new(&bytes);
    let decoded = image::ImageReader::new(&mut cursor).with_guessed_format().map_err(Error::io("read", path))?.decode();
    let unreadable = |offset: u64, reason: String| Error::Image { path: path.into(), offset, reason: reason.trim_end().into() };
    let rgb = decoded.map_err(|e| unreadable(cursor.position(), e.to_string()))?.to_rgb8();
    if is_cut_jpeg(&bytes) {
        return Err(unreadable(bytes.len() as u64, "the JPEG ends before its end marker".into()));
    }
    let (width, height) = rgb.dimensions();
    let short = width.min(height);
    let square = imageops::crop_imm(&rgb, (width - short) / 2, (height - short) / 2, short, short).to_image();
    if short as usize == side {
        return Ok(to_planes(&square));
    }
    Ok(to_planes(&imageops::resize(&square, side as u32, side as u32, FilterType::Triangle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, width: u32, height: u32, f: impl Fn(u32) -> u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_fn(width, height, |x, _| image::Rgb([f(x), 0, 255])).save(path).unwrap();
    }

    #[test]
    fn classes_are_sorted_and_the_centre_is_cropped() {
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("train/b/1.png"), 8, 4, |x| if (2..6).contains(&x) { 90 } else { 0 });
        png(&folder.path().join("train/a/1.PNG"), 4, 4, |_| 7);
        let set = load_split(folder.path(), Split::Train, 4).unwrap();
        assert_eq!((set.classes.as_slice(), set.labels.as_slice()), (&["a".to_string(), "b".into()][..], &[0, 1][..]));
        assert!(set.image(1)[..16].iter().all(|p| *p == 90) && set.image(1)[32..].iter().all(|p| *p == 255));
        assert!(load_split(folder.path(), Split::Reference, 4).unwrap_err().to_string().contains("expected train/<class>"));
    }

    #[test]
    fn an_unreadable_image_and_an_empty_class_are_named() {
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("a/1.png"), 4, 4, |_| 7);
        std::fs::write(folder.path().join("a/2.jpg"), b"no image").unwrap();
        let message = load_classes(folder.path(), 4).unwrap_err().to_string();
        assert!(message.contains("2.jpg, offset ") && message.contains("unreadable image"), "{message}");

        let mut whole = Vec::new();
        let noise = image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, 3]));
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
