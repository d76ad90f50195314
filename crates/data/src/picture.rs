//! Picture files: what may be opened as one, its size, its pixels.

use crate::decode::{self, Defect, Demands, Kind, square};
use crate::images::to_planes;
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The largest picture file, bytes: a photograph of 100 megapixels has 50 MB. Sparse files may
/// claim any length.
const LARGEST: u64 = 256 << 20;

/// A regular file that begins like a picture.
struct Picture {
    file: File,
    kind: Kind,
    length: u64,
}

impl Picture {
    fn open(path: &Path) -> Result<Picture> {
        // Asked before opening, which would wait for the writer of a pipe.
        let found = std::fs::metadata(path).map_err(Error::io("read", path))?;
        if !found.is_file() {
            let reason = "it is a folder, a pipe or a device; pictures are regular files";
            return Err(unreadable(path, 0, reason.into()));
        }
        let length = found.len();
        if length > LARGEST {
            let reason = format!("it has {length} bytes; picture files have at most {LARGEST}");
            return Err(unreadable(path, 0, reason));
        }
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let mut head = Vec::new();
        (&mut file)
            .take(Kind::HEAD as u64)
            .read_to_end(&mut head)
            .and_then(|_| file.seek(SeekFrom::Start(0)))
            .map_err(Error::io("read", path))?;
        let kind = Kind::of(&head).map_err(|reason| unreadable(path, 0, reason))?;
        Ok(Picture { file, kind, length })
    }
}

fn unreadable(path: &Path, offset: u64, reason: String) -> Error {
    Error::Image { path: path.into(), offset, reason }
}

/// A picture file's bytes.
///
/// # Errors
/// A file that cannot be read; one that is no regular file, has more than 256 MiB or does not begin
/// like a JPEG or PNG.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let picture = Picture::open(path)?;
    let mut bytes = Vec::with_capacity(picture.length as usize);
    picture.file.take(LARGEST).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

/// Width and height of a picture, pixels, from its header.
///
/// # Errors
/// As [`read`]; a header that cannot be read.
pub fn dimensions(path: &Path) -> Result<(u32, u32)> {
    let picture = Picture::open(path)?;
    decode::dimensions(picture.kind, BufReader::new(picture.file))
        .map_err(|reason| unreadable(path, 0, reason))
}

/// Whether a picture is a JPEG, whatever its name says; false for what is no picture.
pub fn is_jpeg(path: &Path) -> bool {
    Picture::open(path).is_ok_and(|picture| picture.kind == Kind::Jpeg)
}

/// A picture's center square, resized: `[3, side, side]`, RGB planes, 0–255, as by [`square`].
///
/// # Errors
/// As [`read`]; a file that cannot be decoded.
pub fn load(path: &Path, side: usize) -> Result<Vec<u8>> {
    square(&read(path)?, side, Demands::default()).map_err(|d| defect(path, d))
}

/// What is wrong with a picture, as an error that names it.
fn defect(path: &Path, defect: Defect) -> Error {
    match defect {
        Defect::Unreadable { offset, reason } => unreadable(path, offset, reason),
        Defect::Small { width, height } => {
            unreadable(path, 0, format!("it has {width}x{height} pixels"))
        }
    }
}

/// A decoded picture as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// `[3, height, width]`, RGB planes, 0–255.
    pub planes: Vec<u8>,
    /// Pixels.
    pub height: usize,
    /// Pixels.
    pub width: usize,
}

/// A whole picture, neither cropped nor resized; colours as by [`square`].
///
/// # Errors
/// As [`load`].
pub fn whole(path: &Path) -> Result<Whole> {
    let rgb = decode::decode(&read(path)?, Demands::default()).map_err(|d| defect(path, d))?;
    let (width, height) = rgb.dimensions();
    let planes = to_planes(&rgb);
    Ok(Whole { planes, height: height as usize, width: width as usize })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn pipes_devices_and_giants_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let errors = [read(path).unwrap_err(), dimensions(path).unwrap_err()];
            let [one, other] = errors.map(|e| e.to_string());
            assert_eq!(one, other);
            one
        };
        let pipe = folder.path().join("pipe.png");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(
            said(&pipe).contains("pipe.png, offset 0: unreadable image: it is a folder, a pipe")
        );
        let device = folder.path().join("zero.jpg");
        std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
        assert!(said(&device).contains("pictures are regular files"));
        let giant = folder.path().join("giant.png");
        File::create(&giant).unwrap().set_len(1 << 40).unwrap();
        assert!(said(&giant).contains("1099511627776 bytes; picture files have at most 268435456"));
        // Less than a giant, it is not read either: it begins like no picture.
        File::create(&giant).unwrap().set_len(200 << 20).unwrap();
        assert!(said(&giant).contains("neither JPEG nor PNG"));
        std::fs::write(&giant, b"RIFF\x10\0\0\0WEBPVP8 ").unwrap();
        assert!(said(&giant).contains("but WebP; convert it"), "{}", said(&giant));
    }

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let image = image::RgbImage::from_pixel(5, 3, image::Rgb([9, 8, 7]));
        image.save_with_format(&path, image::ImageFormat::Png).unwrap();
        assert_eq!(dimensions(&path).unwrap(), (5, 3));
        assert!(!is_jpeg(&path) && !is_jpeg(&folder.path().join("none.jpg")));
        assert_eq!(load(&path, 1).unwrap(), [9, 8, 7]);
        let all = whole(&path).unwrap();
        assert_eq!((all.height, all.width), (3, 5));
        assert_eq!(all.planes, [[9; 15], [8; 15], [7; 15]].concat());
    }
}
