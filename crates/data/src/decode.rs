//! A JPEG or PNG file to byte planes: decode, crop the center square, resize.

use crate::images::to_planes;
use crate::jpeg;
use image::codecs::png::PngDecoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits, RgbImage};
use std::borrow::Cow;
use std::cell::Cell;
use std::io::{BufRead, Cursor, Read, Seek};
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

    /// Decoded bytes allowed whatever the file's size: 350 megapixels.
    pub const MOST: u64 = 1 << 30;

    /// What an image of a file of `length` bytes may decode to.
    fn allowed(&self, length: u64) -> u64 {
        (self.bytes + Demands::PER_BYTE * length).min(Demands::MOST)
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

/// Width and height, pixels, from a file's header.
pub(crate) fn dimensions(kind: Kind, reader: impl BufRead + Seek) -> Result<(u32, u32), String> {
    caught(|| match kind {
        Kind::Jpeg => jpeg::dimensions(reader).map_err(|e| e.to_string()),
        Kind::Png => png_dimensions(reader),
    })
}

/// Chunks of a PNG that hold no pixel and would be inflated: a colour profile, which is not applied, and texts.
const NO_PIXELS: [&[u8]; 4] = [b"iCCP", b"zTXt", b"iTXt", b"tEXt"];

/// A PNG without those of [`NO_PIXELS`] that come before its pixels: a profile of a few kilobytes may inflate to a thousand times that. Also
/// their length in bytes.
fn without_profiles(png: &[u8]) -> (Cow<'_, [u8]>, u64) {
    let mut kept = Cow::Borrowed(png);
    let mut at = 8;
    let mut out = 0;
    while let Some([a, b, c, d, kind @ ..]) = png.get(at..at + 8) {
        let end = u32::from_be_bytes([*a, *b, *c, *d]) as usize + 12 + at;
        if kind == b"IDAT" || end > png.len() {
            break;
        }
        if NO_PIXELS.contains(&kind) {
            kept.to_mut().drain(at - out..end - out);
            out += end - at;
        }
        at = end;
    }
    (kept, out as u64)
}

/// Width and height from the header of a PNG, which comes first.
fn png_dimensions(mut reader: impl Read) -> Result<(u32, u32), String> {
    // The signature, the header's length and name, two numbers.
    let mut head = [0; 24];
    reader.read_exact(&mut head).map_err(|e| format!("its header is cut: {e}"))?;
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    match (&head[12..16], number(16), number(20)) {
        (b"IHDR", width @ 1.., height @ 1..) => Ok((width, height)),
        _ => Err("its first chunk is no header of an image".into()),
    }
}

/// A decoder that takes at most `allowed` bytes.
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
    let (bytes, out) = without_profiles(bytes);
    let mut cursor = Cursor::new(&bytes[..]);
    let decoded = (|| {
        let decoder = png_decoder(&mut cursor, demands.allowed(length))?;
        let (width, height) = decoder.dimensions();
        // Checked here too, because a decoder allocates less than it gives.
        Ok(match demands.check(width, height, decoder.total_bytes(), length) {
            Ok(()) => Ok(DynamicImage::from_decoder(decoder)?.into_rgb8()),
            Err(defect) => Err(defect),
        })
    })();
    read.set(cursor.position() + out);
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
    fn chunks_without_pixels_are_left_out_before_anything_is_inflated() {
        let plain = png(3, 2);
        let chunk = |kind: &[u8; 4], body: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(&[&kind[..], body].concat());
            let length = (body.len() as u32).to_be_bytes();
            [&length[..], kind, body, &crc.sum().to_be_bytes()].concat()
        };
        let gamma = chunk(b"gAMA", &[0, 1, 2, 3]);
        let added = [chunk(b"iCCP", b"p\0\0xyz"), gamma.clone(), chunk(b"zTXt", b"k\0\0")].concat();
        let full = [&plain[..33], &added, &plain[33..]].concat();
        let (kept, out) = without_profiles(&full);
        assert_eq!(kept, [&plain[..33], &gamma, &plain[33..]].concat());
        assert_eq!(out as usize, added.len() - gamma.len());
        assert_eq!(square(&full, 1, Demands::default()), square(&plain, 1, Demands::default()));
        assert!(matches!(without_profiles(&plain), (Cow::Borrowed(_), 0)));
        // A chunk that ends beyond the file is the decoder's to refuse.
        assert!(square(&full[..60], 1, Demands::default()).is_err());
    }

    #[test]
    fn images_below_the_least_side_are_told_from_corrupt_ones() {
        let demands = Demands { min_side: 5, ..Demands::default() };
        assert_eq!(square(&png(9, 4), 2, demands), Err(Defect::Small { width: 9, height: 4 }));
        assert_eq!(square(&png(9, 5), 2, demands).unwrap().len(), 12);
        assert!(matches!(square(b"no image", 2, demands), Err(Defect::Unreadable { .. })));
    }
}
