//! JPEG files to RGB, as libjpeg-turbo decodes them by default and so as Pillow, torchvision and
//! OpenCV see them: accurate inverse DCT, smooth upsampling of chroma. The decoder is libjpeg's own
//! C code in mozjpeg's release of it, which decodes like libjpeg-turbo.

use crate::decode::{Defect, Demands, Refusal};
use image::RgbImage;
use mozjpeg::{Decompress, Format};
use mozjpeg_sys::{self as sys, jpeg_common_struct, jpeg_error_mgr};
use std::cell::Cell;
use std::ffi::c_int;
use std::io::{self, BufRead, Read};

/// Name and version of the decoder, as protocols, packs and statistics record it. Two decoders give
/// two names, so what was made with one is never taken for what was made with the other.
pub const DECODER: &str = "jpeg-mozjpeg-2.2.3";

/// Bytes that the decoder gets at a time; an error's offset is a multiple of it or the file's end.
const PIECE: usize = 1 << 16;
/// Every scan of a progressive file is a pass over the whole image. Photographs have about 10.
const SCANS: usize = 500;
/// Markers of scans may also occur in thumbnails, profiles and what follows the image: about one in
/// 65,536 bytes. So many bytes allow one more.
const BYTES_PER_MARKER: usize = 4096;

/// Whether a file that begins with `head` claims to be a JPEG.
pub(crate) fn recognizes(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xd8, 0xff])
}

/// Width and height, pixels, from the file's header. It unwinds with a [`Refusal`].
///
/// # Errors
/// Those of `reader`.
pub(crate) fn dimensions(reader: impl BufRead) -> io::Result<(u32, u32)> {
    let image = Decompress::builder().with_err(manager()).from_reader(reader)?;
    Ok((image.width() as u32, image.height() as u32))
}

/// Decodes a whole file; `read` is how far the decoder had read when it ended. It unwinds with a
/// [`Refusal`].
///
/// # Errors
/// As [`crate::parse::square`].
pub(crate) fn decode(
    bytes: &[u8],
    demands: Demands,
    read: &Cell<u64>,
) -> io::Result<Result<RgbImage, Defect>> {
    let scans = bytes.windows(2).filter(|w| *w == [0xff, 0xda]).count();
    if scans > SCANS + bytes.len() / BYTES_PER_MARKER {
        return Err(io::Error::other(format!("it has {scans} scans; {SCANS} are read at most")));
    }
    let reader = Pieces { rest: bytes, read };
    let image = Decompress::builder().with_err(manager()).from_reader(reader)?;
    let (width, height) = (image.width() as u32, image.height() as u32);
    let channels = image.components().len().max(3) as u64;
    let needed = u64::from(width) * u64::from(height) * channels;
    if let Err(defect) = demands.check(width, height, needed, bytes.len() as u64) {
        return Ok(Err(defect));
    }
    // The samples' order within a pixel and the end marker: only what was read to its end counts.
    let pixels = match image.image()? {
        Format::RGB(mut rows) => {
            let pixels = rows.read_scanlines::<u8>()?;
            rows.finish()?;
            pixels
        }
        Format::Gray(mut rows) => {
            let grey = rows.read_scanlines::<u8>()?;
            rows.finish()?;
            grey.iter().flat_map(|g| [*g; 3]).collect()
        }
        Format::CMYK(mut rows) => {
            let inks = rows.read_scanlines::<u8>()?;
            rows.finish()?;
            inks.as_chunks::<4>().0.iter().flat_map(rgb_of_inks).collect()
        }
    };
    let short = || io::Error::other("the decoder gave too few pixels");
    RgbImage::from_raw(width, height, pixels).ok_or_else(short).map(Ok)
}

/// RGB of cyan, magenta, yellow and black, which are stored inverted, as Adobe's programs do: 255
/// is no ink. The rounding is Pillow's.
fn rgb_of_inks([c, m, y, k]: &[u8; 4]) -> [u8; 3] {
    [c, m, y].map(|ink| {
        let product = u32::from(255 - ink) * u32::from(*k) + 128;
        let covered = ((product >> 8) + product) >> 8;
        u32::from(*k).saturating_sub(covered) as u8
    })
}

/// A file's bytes, piece by piece, so that an error can say how far they were read.
struct Pieces<'a> {
    rest: &'a [u8],
    read: &'a Cell<u64>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.rest[..self.rest.len().min(PIECE)])
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n..];
        self.read.set(self.read.get() + n as u64);
    }
}

/// What the decoder calls in place of leaving the program or printing.
fn manager() -> jpeg_error_mgr {
    jpeg_error_mgr {
        error_exit: Some(refuse),
        emit_message: Some(judge),
        output_message: Some(ignore),
        format_message: None,
        reset_error_mgr: Some(ignore),
        msg_code: 0,
        msg_parm: sys::msg_parm_union::default(),
        trace_level: 0,
        num_warnings: 0,
        jpeg_message_table: std::ptr::null(),
        last_jpeg_message: 0,
        addon_message_table: std::ptr::null(),
        first_addon_message: 0,
        last_addon_message: 0,
    }
}

extern "C-unwind" fn ignore(_: &mut jpeg_common_struct) {}

/// An error: the decoder must not go on.
extern "C-unwind" fn refuse(decoder: &mut jpeg_common_struct) {
    std::panic::resume_unwind(Box::new(Refusal(error(code(decoder)))));
}

/// A warning, if `level` is negative. Those after which pixels are made up are errors here: a
/// score or a training set must not hold grey halves.
extern "C-unwind" fn judge(decoder: &mut jpeg_common_struct, level: c_int) {
    if let Some(reason) = made_up(code(decoder)).filter(|_| level < 0) {
        std::panic::resume_unwind(Box::new(Refusal(reason.into())));
    }
}

fn code(decoder: &jpeg_common_struct) -> c_int {
    // SAFETY: libjpeg calls the functions of the manager that `err` points to, which lives as long
    // as the decoder, and sets its code before.
    unsafe { decoder.err.as_ref() }.map_or(0, |manager| manager.msg_code)
}

/// Why pixels after this warning would be made up; `None` if they are the file's.
fn made_up(code: c_int) -> Option<&'static str> {
    Some(match code {
        sys::JWRN_JPEG_EOF => "the JPEG ends before its end marker; copy or write it again",
        sys::JWRN_HIT_MARKER => {
            "the data of a scan end before the image is complete; copy or write it again"
        }
        sys::JWRN_MUST_RESYNC => "restart markers are missing; copy or write it again",
        sys::JWRN_ADOBE_XFORM
        | sys::JWRN_BOGUS_ICC
        | sys::JWRN_BOGUS_PROGRESSION
        | sys::JWRN_EXTRANEOUS_DATA
        | sys::JWRN_JFIF_MAJOR
        | sys::JWRN_NOT_SEQUENTIAL => return None,
        // A code that stands for nothing, of Huffman's or the arithmetic kind.
        _ => "the data of a scan are corrupt; copy or write it again",
    })
}

fn error(code: c_int) -> String {
    let known = match code {
        sys::JERR_NO_SOI => "it does not begin like a JPEG",
        sys::JERR_EMPTY_IMAGE => "its header claims no pixel",
        sys::JERR_IMAGE_TOO_BIG => "its header claims more than 65,500 pixels in a direction",
        sys::JERR_BAD_PRECISION => "its samples do not have 8 bits; write it with 8",
        sys::JERR_SOF_UNSUPPORTED => {
            "it is a lossless or hierarchical JPEG; write it as a baseline or progressive one"
        }
        sys::JERR_CONVERSION_NOTIMPL | sys::JERR_BAD_J_COLORSPACE => {
            "its colours are neither grey, RGB, YCbCr, CMYK nor YCCK"
        }
        sys::JERR_NO_HUFF_TABLE | sys::JERR_BAD_HUFF_TABLE => "a Huffman table is missing or wrong",
        sys::JERR_NO_QUANT_TABLE => "a quantization table is missing",
        sys::JERR_NO_IMAGE | sys::JERR_SOF_NO_SOS | sys::JERR_SOS_NO_SOF => "it holds no image",
        sys::JERR_FILE_READ => "it could not be read",
        sys::JERR_OUT_OF_MEMORY => "there is not enough memory for it",
        _ => return format!("its markers do not fit together (libjpeg's error {code})"),
    };
    known.into()
}

#[cfg(test)]
pub(crate) mod tests;
