//! A JPEG or PNG file to byte planes: decode, crop the center square, resize.

use crate::images::to_planes;
use crate::jpeg;
use image::codecs::png::PngDecoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits, RgbImage};
use std::cell::Cell;
use std::io::{BufRead, Cursor, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Limits on an image's memory and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demands {
    /// Images with a shorter side than this, pixels, are refused; 0 refuses none.
    pub min_side: u32,
    /// An image may decode to this many bytes plus [`Demands::PER_BYTE`] for each byte of its file:
    /// a small file that claims to be a huge image is refused before memory is allocated.
    pub bytes: u64,
}

impl Demands {
    /// Decoded bytes allowed for each byte of a file. Photographs take 5 to 40.
    pub const PER_BYTE: u64 = 64;

    /// What an image of a file of `length` bytes may decode to.
    fn allowed(&self, length: u64) -> u64 {
        self.bytes + Demands::PER_BYTE * length
    }

    /// Refuses an image by its header, before its pixels are decoded to `needed` bytes.
    pub(crate) fn check(
        &self,
        width: u32,
        height: u32,
        needed: u64,
        length: u64,
    ) -> Result<(), Defect> {
        let allowed = self.allowed(length);
        if needed > allowed {
            let reason = format!(
                "{width}x{height} pixels are {needed} bytes; a file of {length} may decode to {allowed}"
            );
            return Err(Defect::Unreadable { offset: 0, reason });
        }
        if width.min(height) < self.min_side.max(1) {
            return Err(Defect::Small { width, height });
        }
        Ok(())
    }
}

impl Default for Demands {
    /// Any size, 64 MiB: 22 megapixels whatever the file's size.
    fn default() -> Demands {
        Demands { min_side: 0, bytes: 64 << 20 }
    }
}

/// Why a file gives no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// It is an image, but its shorter side is below [`Demands::min_side`].
    Small {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// It cannot be decoded.
    Unreadable {
        /// How far the decoder had read, bytes.
        offset: u64,
        /// The decoder's reason.
        reason: String,
    },
}

/// What a decoder unwinds with when it gives up.
pub(crate) struct Refusal(pub(crate) String);

/// A file's format, by its first bytes: names lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Jpeg,
    Png,
}

impl Kind {
    /// Bytes of a file from which its format is recognized.
    pub(crate) const HEAD: usize = 16;

    /// The format of a file that begins with `head`, or what it is instead.
    pub(crate) fn of(head: &[u8]) -> Result<Kind, String> {
        if jpeg::recognizes(head) {
            return Ok(Kind::Jpeg);
        }
        match image::guess_format(head) {
            Ok(ImageFormat::Png) => Ok(Kind::Png),
            Ok(other) => {
                Err(format!("it is neither JPEG nor PNG, but {other:?}; convert it to either"))
            }
            Err(_) => Err("it is neither JPEG nor PNG".into()),
        }
    }
}

/// Decodes a JPEG or PNG, crops the center square and resizes it by antialiased bilinear
/// interpolation; `[3, side, side]`, RGB planes, 0–255. Gray becomes three equal channels;
/// transparency is dropped; an orientation in a JPEG's EXIF data is not applied, as by Pillow.
/// JPEGs are decoded as libjpeg-turbo does by default ([`crate::JPEG_DECODER`]).
///
/// # Errors
/// A cut, corrupt or unknown format; an image smaller or larger than `demands` allow.
pub fn square(bytes: &[u8], side: usize, demands: Demands) -> Result<Vec<u8>, Defect> {
    let rgb = decode(bytes, demands)?;
    let (width, height) = rgb.dimensions();
    let short = width.min(height);
    let square = if width == height {
        rgb
    } else {
        imageops::crop_imm(&rgb, (width - short) / 2, (height - short) / 2, short, short).to_image()
    };
    if short as usize == side {
        return Ok(to_planes(&square));
    }
    Ok(to_planes(&imageops::resize(&square, side as u32, side as u32, FilterType::Triangle)))
}

/// The whole image.
pub(crate) fn decode(bytes: &[u8], demands: Demands) -> Result<RgbImage, Defect> {
    let unreadable =
        |offset, reason: String| Defect::Unreadable { offset, reason: reason.trim_end().into() };
    let read = Cell::new(0);
    let decoded = match Kind::of(bytes).map_err(|reason| unreadable(0, reason))? {
        Kind::Jpeg => caught(|| jpeg::decode(bytes, demands, &read).map_err(|e| e.to_string())),
        Kind::Png => caught(|| png(bytes, demands, &read).map_err(|e| e.to_string())),
    };
    decoded.map_err(|reason| unreadable(read.get(), reason))?
}

/// What `work` gives; a decoder's panic becomes an error, which can name the file.
fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        if let Some(Refusal(reason)) = panic.downcast_ref() {
            return Err(reason.clone());
        }
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
        Err(format!("the decoder failed: {}", said.unwrap_or_else(|| "without a word".into())))
    })
}

/// Width and height, pixels, from the header of a file of `length` bytes.
pub(crate) fn dimensions(
    kind: Kind,
    reader: impl BufRead + Seek,
    length: u64,
) -> Result<(u32, u32), String> {
    caught(|| match kind {
        Kind::Jpeg => jpeg::dimensions(reader).map_err(|e| e.to_string()),
        Kind::Png => Ok(png_decoder(reader, Demands::default().allowed(length))
            .map_err(|e| e.to_string())?
            .dimensions()),
    })
}

/// A decoder that takes at most `allowed` bytes for pixels, profiles and texts.
fn png_decoder<R: BufRead + Seek>(reader: R, allowed: u64) -> image::ImageResult<PngDecoder<R>> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(allowed);
    PngDecoder::with_limits(reader, limits)
}

/// The outer result holds the decoder's errors, the inner one ours.
fn png(
    bytes: &[u8],
    demands: Demands,
    read: &Cell<u64>,
) -> image::ImageResult<Result<RgbImage, Defect>> {
    let length = bytes.len() as u64;
    let mut cursor = Cursor::new(bytes);
    let decoded = (|| {
        let decoder = png_decoder(&mut cursor, demands.allowed(length))?;
        let (width, height) = decoder.dimensions();
        // Checked here too, because a decoder allocates less than it gives.
        Ok(match demands.check(width, height, decoder.total_bytes(), length) {
            Ok(()) => Ok(DynamicImage::from_decoder(decoder)?.into_rgb8()),
            Err(defect) => Err(defect),
        })
    })();
    read.set(cursor.position());
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        RgbImage::from_pixel(width, height, image::Rgb([9, 8, 7]))
            .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
            .unwrap();
        bytes
    }

    #[test]
    fn a_small_file_may_not_become_a_huge_image() {
        let bytes = png(2000, 1500);
        assert_eq!(square(&bytes, 1, Demands::default()).unwrap(), [9, 8, 7]);
        let demands = Demands { bytes: 1 << 20, ..Demands::default() };
        assert!(bytes.len() < 50_000, "{}", bytes.len());
        let Err(Defect::Unreadable { reason, .. }) = square(&bytes, 1, demands) else {
            panic!("it was decoded")
        };
        assert!(reason.contains("2000x1500 pixels are 9000000 bytes"), "{reason}");
    }

    #[test]
    fn images_below_the_least_side_are_told_from_corrupt_ones() {
        let demands = Demands { min_side: 5, ..Demands::default() };
        assert_eq!(square(&png(9, 4), 2, demands), Err(Defect::Small { width: 9, height: 4 }));
        assert_eq!(square(&png(9, 5), 2, demands).unwrap().len(), 12);
        assert!(matches!(square(b"no image", 2, demands), Err(Defect::Unreadable { .. })));
    }
}
