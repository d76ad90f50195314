//! A JPEG or PNG file to byte planes: decode, crop the center square, resize.

use crate::images::to_planes;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};
use std::io::Cursor;

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

/// Decodes a JPEG or PNG, crops the center square and resizes it by antialiased bilinear
/// interpolation; `[3, side, side]`. Gray becomes three equal channels; transparency is dropped.
///
/// # Errors
/// A cut, corrupt or unknown format; an image smaller or larger than `demands` allow.
pub fn square(bytes: &[u8], side: usize, demands: Demands) -> Result<Vec<u8>, Defect> {
    let mut cursor = Cursor::new(bytes);
    let rgb = match decode(&mut cursor, bytes.len() as u64, demands) {
        Ok(rgb) => rgb?,
        Err(e) => {
            return Err(Defect::Unreadable {
                offset: cursor.position(),
                reason: e.to_string().trim_end().into(),
            });
        }
    };
    if is_cut_jpeg(bytes) {
        return Err(Defect::Unreadable {
            offset: bytes.len() as u64,
            reason: "the JPEG ends before its end marker".into(),
        });
    }
    let (width, height) = rgb.dimensions();
    let short = width.min(height);
    let square = imageops::crop_imm(&rgb, (width - short) / 2, (height - short) / 2, short, short)
        .to_image();
    if short as usize == side {
        return Ok(to_planes(&square));
    }
    Ok(to_planes(&imageops::resize(&square, side as u32, side as u32, FilterType::Triangle)))
}

/// The outer result holds the decoder's errors, the inner one ours.
fn decode(
    cursor: &mut Cursor<&[u8]>,
    length: u64,
    demands: Demands,
) -> image::ImageResult<Result<RgbImage, Defect>> {
    let allowed = demands.bytes + Demands::PER_BYTE * length;
    let mut limits = Limits::default();
    limits.max_alloc = Some(allowed);
    let mut reader = ImageReader::new(cursor).with_guessed_format()?;
    reader.limits(limits);
    let decoder = reader.into_decoder()?;
    // Checked here for every format, because not every decoder respects the limit.
    let (width, height) = decoder.dimensions();
    let needed = decoder.total_bytes();
    if needed > allowed {
        let reason = format!(
            "{width}x{height} pixels are {needed} bytes; a file of {length} may decode to {allowed}"
        );
        return Ok(Err(Defect::Unreadable { offset: 0, reason }));
    }
    if width.min(height) < demands.min_side.max(1) {
        return Ok(Err(Defect::Small { width, height }));
    }
    Ok(Ok(DynamicImage::from_decoder(decoder)?.into_rgb8()))
}

/// Whether a JPEG's last scan lacks its end marker. The decoder fills the missing part with gray
/// and reports no error.
fn is_cut_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|w| *w == [0xff, marker]);
    let (start_of_scan, end_of_image) = (last(0xda), last(0xd9));
    bytes.starts_with(&[0xff, 0xd8]) && end_of_image < start_of_scan
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
