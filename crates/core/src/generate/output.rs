//! Where images go: a grid, a folder of files, or an array.

use crate::{Error, Result};
use npyz::WriterBuilder;
use sngan_experiment::atomic;
use std::io::BufWriter;
use std::path::Path;

/// Pixels along a side of a grid at most; programs that open larger ones are rare.
const LARGEST: u64 = 32_768;

/// Bytes of images at most, which are held in memory before they are written.
const MOST: u64 = 8 << 30;

/// Endings of files that images could be expected in, but are not written as.
const OTHER_FILES: [&str; 9] =
    ["jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "npz", "safetensors"];

/// What images go to.
enum Kind {
    Grid,
    Array,
    Folder,
}

impl Kind {
    fn of(path: &Path) -> Result<Kind> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("png") => Ok(Kind::Grid),
            Some("npy") => Ok(Kind::Array),
            Some(other) if OTHER_FILES.contains(&other) => Err(Error::Invalid(format!(
                "{}: images are not written as .{other}; name a FILE.png, a FILE.npy or a folder",
                path.display()
            ))),
            _ => Ok(Kind::Folder),
        }
    }
}

/// Whether `n` images can go to `path` by [`write()`]; to be asked before they are made.
///
/// # Errors
/// No image, more than memory should hold, a grid too large for a PNG, a zoom of an array, a file of another kind, a folder that has files
/// already.
pub fn check(path: &Path, n: usize, side: usize, columns: usize, zoom: usize) -> Result<()> {
    checked(path, n, side, columns, zoom).map(drop)
}

/// [`check`], and what the images go to.
fn checked(path: &Path, n: usize, side: usize, columns: usize, zoom: usize) -> Result<Kind> {
    let images = n as u64;
    if n == 0 || images.saturating_mul(3 * (side * side) as u64) > MOST {
        let most = MOST / (3 * side * side).max(1) as u64;
        return Err(Error::Invalid(format!(
            "{n} images: from 1 to {most} of side {side} are made at a time"
        )));
    }
    let kind = Kind::of(path)?;
    match kind {
        Kind::Grid if path.is_dir() => {
            return Err(Error::Invalid(format!(
                "{} is a folder; name another file",
                path.display()
            )));
        }
        Kind::Grid => check_grid(images, side, columns, zoom)?,
        Kind::Array if zoom != 1 => {
            return Err(Error::Invalid(format!(
                "a zoom of {zoom}: an array has the images' own pixels; leave it out"
            )));
        }
        Kind::Array if path.is_dir() => {
            return Err(Error::Invalid(format!(
                "{} is a folder; name another file",
                path.display()
            )));
        }
        Kind::Array => {}
        Kind::Folder => {
            check_grid(1, side, 1, zoom)?;
            let there = std::fs::read_dir(path).into_iter().flatten().flatten().next();
            if there.is_some() || path.is_file() {
                let reason = "is there already, and images would mix with what it holds; name another folder";
                return Err(Error::Invalid(format!("{} {reason}", path.display())));
            }
        }
    }
    Ok(kind)
}

fn check_grid(images: u64, side: usize, columns: usize, zoom: usize) -> Result<()> {
    if columns == 0 || zoom == 0 {
        return Err(Error::Invalid(
            "a grid has at least one column, and a zoom of at least 1".into(),
        ));
    }
    let pixels = |n: u64| n.saturating_mul(side as u64).saturating_mul(zoom as u64);
    let (width, height) = (pixels(columns as u64), pixels(images.div_ceil(columns as u64)));
    if width.max(height) > LARGEST {
        let reason = format!(
            "a grid of {width}x{height} pixels is larger than {LARGEST}; take fewer images, another number of columns or a smaller zoom, or write a FILE.npy or a folder"
        );
        return Err(Error::Invalid(reason));
    }
    Ok(())
}

/// Writes images `[n, 3, side, side]` by the kind of `path`: a PNG grid for `.png` (see [`write_grid`]), a NumPy array of bytes
/// `[n, side, side, 3]` for `.npy`, and else a folder with one PNG each, `000000.png` and on. Each is there whole or not at all.
///
/// # Errors
/// As [`check`]; when the bytes are no whole number of images, or a file cannot be written.
pub fn write(path: &Path, bytes: &[u8], side: usize, columns: usize, zoom: usize) -> Result<()> {
    match checked(path, bytes.len() / (3 * side * side).max(1), side, columns, zoom)? {
        Kind::Grid => write_grid(path, bytes, side, columns, zoom),
        Kind::Array => write_array(path, bytes, side),
        Kind::Folder => {
            let size = image_size(bytes, side)?;
            let mut files = bytes.chunks_exact(size).enumerate();
            atomic::write_folder(path, |folder| {
                files.try_for_each(|(i, one)| {
                    write_grid(&folder.join(format!("{i:06}.png")), one, side, 1, zoom)
                })
            })
        }
    }
}

/// Writes images `[n, 3, side, side]` as a PNG grid without margins, row by row; the last row may be short (black). Each pixel becomes
/// `zoom` x `zoom` pixels.
///
/// # Errors
/// When the bytes are no whole number of images, the grid is too large, or the file cannot be written.
pub fn write_grid(
    path: &Path,
    bytes: &[u8],
    side: usize,
    columns: usize,
    zoom: usize,
) -> Result<()> {
    let size = image_size(bytes, side)?;
    check_grid((bytes.len() / size) as u64, side, columns, zoom)?;
    let rows = (bytes.len() / size).div_ceil(columns);
    let mut grid = image::RgbImage::new((columns * side) as u32, (rows * side) as u32);
    for (i, one) in bytes.chunks_exact(size).enumerate() {
        let (left, top) = ((i % columns) * side, (i / columns) * side);
        for p in 0..side * side {
            let pixel = image::Rgb([one[p], one[side * side + p], one[2 * side * side + p]]);
            grid.put_pixel((left + p % side) as u32, (top + p / side) as u32, pixel);
        }
    }
    if zoom > 1 {
        let (width, height) = (grid.width() * zoom as u32, grid.height() * zoom as u32);
        grid = image::imageops::resize(&grid, width, height, image::imageops::FilterType::Nearest);
    }
    let mut png = Vec::new();
    grid.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png)
        .map_err(|e| Error::Write { path: path.into(), reason: e.to_string() })?;
    Ok(atomic::write(path, &png)?)
}

/// Writes bytes `[n, side, side, 3]`, channels last as other programs expect them.
fn write_array(path: &Path, bytes: &[u8], side: usize) -> Result<()> {
    let size = image_size(bytes, side)?;
    let area = side * side;
    let failed = |e: std::io::Error| Error::Write { path: path.into(), reason: e.to_string() };
    let shape = [(bytes.len() / size) as u64, side as u64, side as u64, 3];
    atomic::write_with(path, |file| {
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(BufWriter::new(file))
            .begin_nd()
            .map_err(failed)?;
        for one in bytes.chunks_exact(size) {
            writer.extend((0..size).map(|i| one[i % 3 * area + i / 3])).map_err(failed)?;
        }
        writer.finish().map_err(failed)
    })
}

/// Bytes of an image.
fn image_size(bytes: &[u8], side: usize) -> Result<usize> {
    let size = 3 * side * side;
    if size == 0 || bytes.is_empty() || !bytes.len().is_multiple_of(size) {
        return Err(Error::Invalid(format!(
            "{} bytes are no images of 3x{side}x{side}",
            bytes.len()
        )));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_places_images_in_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.png");
        let bytes: Vec<u8> = (0..3u8).flat_map(|i| vec![i * 50; 3 * 4]).collect();
        write_grid(&path, &bytes, 2, 2, 1).unwrap();
        let grid = image::open(&path).unwrap().to_rgb8();
        assert_eq!(grid.dimensions(), (4, 4));
        assert_eq!(
            (grid.get_pixel(2, 0).0[0], grid.get_pixel(0, 2).0[0], grid.get_pixel(3, 3).0[0]),
            (50, 100, 0)
        );
        write_grid(&path, &bytes, 2, 2, 3).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().get_pixel(8, 2).0[0], 50);
        assert!(write_grid(&path, &bytes[1..], 2, 2, 1).is_err());
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str, n, columns, zoom| {
            check(&folder.path().join(name), n, 32, columns, zoom).err().map(|e| e.to_string())
        };
        assert_eq!(refused("g.png", 64, 8, 4), None);
        assert_eq!(refused("G.PNG", 64, 8, 4), None);
        assert_eq!(refused("v1.5", 64, 8, 4), None);
        let says = |found: Option<String>, what: &str| {
            assert!(found.as_ref().is_some_and(|f| f.contains(what)), "{found:?}")
        };
        says(refused("g.png", 0, 8, 1), "from 1 to");
        says(refused("all", 1_000_000_000_000, 8, 1), "from 1 to");
        says(refused("g.png", 64, 8, 100_000), "25600000x25600000 pixels");
        says(refused("g.png", 64, usize::MAX, 1), "larger than 32768");
        says(refused("g.jpg", 64, 8, 1), "not written as .jpg");
        write(&folder.path().join("all"), &[0; 2 * 12], 2, 1, 1).unwrap();
        says(refused("all", 1, 1, 1), "is there already");
        std::fs::write(folder.path().join("file"), "").unwrap();
        says(refused("file", 1, 1, 1), "is there already");
        std::fs::create_dir(folder.path().join("dir.npy")).unwrap();
        says(refused("dir.npy", 1, 1, 1), "is a folder");
        says(refused("all.npy", 1, 1, 2), "a zoom of 2");
        // What failed half way leaves no folder.
        assert!(
            write(&folder.path().join("half"), &[0; 13], 2, 1, 1).is_err()
                && !folder.path().join("half").exists()
        );
    }

    #[test]
    fn a_folder_holds_each_image_and_an_array_its_channels_last() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..2 * 12).collect();
        write(&folder.path().join("all"), &bytes, 2, 1, 1).unwrap();
        let second = image::open(folder.path().join("all/000001.png")).unwrap().to_rgb8();
        assert_eq!((second.dimensions(), second.get_pixel(1, 0).0), ((2, 2), [13, 17, 21]));
        let array = folder.path().join("all.npy");
        write(&array, &bytes, 2, 1, 1).unwrap();
        let read = npyz::NpyFile::new(std::fs::File::open(&array).unwrap()).unwrap();
        assert_eq!(read.shape(), [2, 2, 2, 3]);
        assert_eq!(read.into_vec::<u8>().unwrap()[12..18], [12, 16, 20, 13, 17, 21]);
        assert!(write(&folder.path().join("none"), &[], 2, 1, 1).is_err());
    }
}
