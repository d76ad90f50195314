//! Images in one array on disk, read one at a time.

use super::header::Array;
use super::{ArrayOptions, Layout, Range, name_of};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use sngan_data::ImageSource;
use sngan_tensor::npy::Numbers;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A larger side means a mistaken axis, not an image of a GAN.
const LARGEST_SIDE: u64 = 8192;

/// A file's array of N square images.
#[derive(Debug)]
pub struct ArrayImages {
    path: PathBuf,
    name: String,
    array: Mutex<Array>,
    numbers: Numbers,
    /// That of floats.
    range: Range,
    layout: Layout,
    /// 3, or 1 for gray, which becomes three equal channels.
    channels: usize,
    side: usize,
    /// Arrays have no labels: all images are of one class.
    labels: Vec<u32>,
    classes: [String; 1],
}

impl ArrayImages {
    /// Opens the file and, if it holds floats, scans it once.
    ///
    /// # Errors
    /// [`Error::File`]: as [`super::open`].
    pub fn open(path: &Path, options: ArrayOptions) -> Result<ArrayImages> {
        let refused = |reason: String| Error::file(path, reason);
        let array = Array::open(path)?;
        let (layout, channels, side) = axes(&array.shape, options.layout).map_err(refused)?;
        let n = array.shape[0] as usize;
        let mut images = ArrayImages {
            path: path.into(),
            name: name_of(path),
            numbers: array.numbers,
            array: Mutex::new(array),
            range: options.range.unwrap_or(Range::Symmetric),
            layout,
            channels,
            side,
            labels: vec![0; n],
            classes: ["all".into()],
        };
        if images.numbers != Numbers::U8 {
            images.range = images.check_floats(options.range)?;
        }
        Ok(images)
    }

    /// Whether the file holds floats, which become bytes by truncation.
    pub fn floats(&self) -> bool {
        self.numbers != Numbers::U8
    }

    /// Number of values in an image.
    fn numbers_per_image(&self) -> usize {
        self.channels * self.side * self.side
    }

    /// Image `i` as stored in the file.
    fn raw(&self, i: usize) -> sngan_data::Result<Vec<u8>> {
        let failed =
            |source| sngan_data::Error::Io { action: "read", path: self.path.clone(), source };
        let mut array = self.array.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.numbers_per_image() * self.numbers.size();
        let place = array.offset + (i * size) as u64;
        array.file.seek(SeekFrom::Start(place)).map_err(failed)?;
        let mut bytes = vec![0; size];
        array.file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    /// Image `i`'s floats.
    fn values(&self, i: usize) -> sngan_data::Result<Vec<f64>> {
        Ok(self.numbers.values(&self.raw(i)?))
    }

    /// A value as its file holds it.
    fn shown(&self, value: f64) -> String {
        match self.numbers {
            Numbers::F32 => (value as f32).to_string(),
            Numbers::U8 | Numbers::F64 | Numbers::F16 | Numbers::I32 | Numbers::I64 => {
                value.to_string()
            }
        }
    }

    /// The range of the floats; refuses those outside of it, or without a certain one.
    fn check_floats(&self, told: Option<Range>) -> Result<Range> {
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for i in 0..self.labels.len() {
            for x in self.values(i)? {
                if !x.is_finite() {
                    let reason = format!(
                        "image {i} has a pixel that is not finite ({x}); it cannot be scored"
                    );
                    return Err(Error::file(&self.path, reason));
                }
                if let Some(range) = told.filter(|range| !range.contains(x)) {
                    let reason = format!(
                        "image {i} has the value {}, which is outside of the range {}; clip the values if that is meant, or say their range, one of {}",
                        self.shown(x),
                        range.name(),
                        Range::names()
                    );
                    return Err(Error::file(&self.path, reason));
                }
                (least, greatest) = (least.min(x), greatest.max(x));
            }
        }
        told.or(Range::certain(least, greatest)).ok_or_else(|| {
            let reason = format!(
                "holds floats from {} to {}, which do not say what is black and what is white; say their range, one of {}, or save uint8",
                self.shown(least),
                self.shown(greatest),
                Range::names()
            );
            Error::file(&self.path, reason)
        })
    }

    /// Image `i` as bytes in the file's layout.
    fn bytes(&self, i: usize) -> sngan_data::Result<Vec<u8>> {
        match self.numbers {
            Numbers::U8 => self.raw(i),
            // Others are refused when the file is opened.
            Numbers::F32 | Numbers::F64 | Numbers::F16 | Numbers::I32 | Numbers::I64 => {
                Ok(self.values(i)?.into_iter().map(|x| self.range.byte(x)).collect())
            }
        }
    }
}

/// Layout, channels and side of an array of images, or what is wrong with its shape.
fn axes(
    shape: &[u64],
    told: Option<Layout>,
) -> std::result::Result<(Layout, usize, usize), String> {
    let [n, a, b, c] = shape[..] else {
        return Err(format!("is {shape:?}; images are [N, H, W, 3] or [N, 3, H, W]"));
    };
    if n == 0 {
        return Err("holds no image".into());
    }
    let channels = |n: u64| n == 3 || n == 1;
    let layout = match (told, channels(a), channels(c)) {
        (Some(layout), _, _) => layout,
        (None, true, false) => Layout::Nchw,
        (None, false, true) => Layout::Nhwc,
        (None, true, true) => {
            return Err(format!(
                "is {shape:?}, which may be either layout; say which, nhwc or nchw"
            ));
        }
        (None, false, false) => {
            return Err(format!("is {shape:?}; images are [N, H, W, 3] or [N, 3, H, W]"));
        }
    };
    let (height, width, depth) = if layout == Layout::Nhwc { (a, b, c) } else { (b, c, a) };
    if !channels(depth) {
        return Err(format!(
            "is {shape:?}: {depth} channels in this layout; images have 3, or 1 if grey"
        ));
    }
    if height != width || height == 0 || height > LARGEST_SIDE {
        return Err(format!(
            "holds images of {height}x{width} pixels; crop or resize them to squares"
        ));
    }
    Ok((layout, depth as usize, height as usize))
}

impl ImageSource for ArrayImages {
    fn name(&self) -> &str {
        &self.name
    }

    fn side(&self) -> usize {
        self.side
    }

    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn read(&self, i: usize, out: &mut Vec<u8>) -> sngan_data::Result<()> {
        let bytes = self.bytes(i)?;
        for channel in 0..3 {
            let channel = channel.min(self.channels - 1);
            match self.layout {
                Layout::Nchw => out.extend_from_slice(
                    &bytes[channel * self.side * self.side..][..self.side * self.side],
                ),
                Layout::Nhwc => out.extend(bytes[channel..].iter().step_by(self.channels)),
            }
        }
        Ok(())
    }

    fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        let mut image = Vec::new();
        for i in 0..self.labels.len() {
            image.clear();
            // An image that cannot be read is an error when it is scored; here it only changes the
            // hash.
            if self.read(i, &mut image).is_ok() {
                hash.update(&image);
            }
        }
        hex::encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::{Order, WriterBuilder};
    use std::io::Write;

    fn npy<T: npyz::AutoSerialize>(
        path: &Path,
        shape: &[u64],
        order: Order,
        values: impl IntoIterator<Item = T>,
    ) {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .order(order)
            .shape(shape)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values).unwrap();
        writer.finish().unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn image(source: &dyn ImageSource, i: usize) -> Vec<u8> {
        let mut out = Vec::new();
        source.read(i, &mut out).unwrap();
        out
    }

    fn message(path: &Path) -> String {
        super::super::open(path, ArrayOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn both_layouts_give_the_same_planes_and_floats_are_truncated() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        npy(&at("hwc.npy"), &[2, 2, 2, 3], Order::C, 0u8..24);
        let hwc = ArrayImages::open(&at("hwc.npy"), ArrayOptions::default()).unwrap();
        assert_eq!(image(&hwc, 1), [12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23]);
        npy(&at("chw.npy"), &[1, 3, 2, 2], Order::C, image(&hwc, 1));
        assert_eq!(
            image(&ArrayImages::open(&at("chw.npy"), ArrayOptions::default()).unwrap(), 0),
            image(&hwc, 1)
        );
        npy(&at("grey.npy"), &[1, 1, 2, 2], Order::C, [-1.0f32, -0.5, 0.999, 1.0]);
        let grey = ArrayImages::open(&at("grey.npy"), ArrayOptions::default()).unwrap();
        assert_eq!(image(&grey, 0), [0, 63, 254, 255].repeat(3));
    }

    #[test]
    fn archives_and_safetensors_hold_the_same_arrays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        npy(&at("a.npy"), &[1, 2, 2, 3], Order::C, 0u8..12);
        let array = std::fs::read(at("a.npy")).unwrap();
        for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
            let mut archive = zip::ZipWriter::new(std::fs::File::create(at("a.npz")).unwrap());
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            for name in ["arr_0.npy", "arr_1.npy"] {
                archive.start_file(name, options).unwrap();
                archive.write_all(&array).unwrap();
            }
            archive.finish().unwrap();
            let opened = ArrayImages::open(&at("a.npz"), ArrayOptions::default()).unwrap();
            assert_eq!((opened.len(), opened.side()), (1, 2));
        }
        let bytes: Vec<u8> = (0..12).collect();
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![1, 2, 2, 3], &bytes)
                .unwrap();
        std::fs::write(
            at("a.safetensors"),
            safetensors::serialize([("samples", view)], None).unwrap(),
        )
        .unwrap();
        // What the archive says of the array's size is compared with its header, and its checksum looked at.
        let altered = |name: &str, array: &[u8], damage: fn(&mut Vec<u8>)| {
            let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            archive.start_file("images.npy", options).unwrap();
            archive.write_all(array).unwrap();
            let mut bytes = archive.finish().unwrap().into_inner();
            damage(&mut bytes);
            std::fs::write(at(name), bytes).unwrap();
            message(&at(name))
        };
        let none: fn(&mut Vec<u8>) = |_| ();
        let longer = altered("longer.npz", &[&array[..], &[0; 7]].concat(), none);
        assert!(longer.contains("has 147 bytes in the archive, but its header promises 140"));
        let shorter = altered("shorter.npz", &array[..array.len() - 1], none);
        assert!(shorter.contains("has 139 bytes in the archive"), "{shorter}");
        let flipped = altered("flipped.npz", &array, |bytes| {
            let place = bytes.windows(4).position(|b| b == [3, 4, 5, 6]).unwrap();
            bytes[place] ^= 1;
        });
        assert!(flipped.contains("no whole npz file") && flipped.contains("checksum"), "{flipped}");
        let (one, other) = (
            ArrayImages::open(&at("a.safetensors"), ArrayOptions::default()).unwrap(),
            ArrayImages::open(&at("a.npy"), ArrayOptions::default()).unwrap(),
        );
        assert_eq!((image(&one, 0), one.sha256()), (image(&other, 0), other.sha256()));
    }

    #[test]
    fn the_range_of_floats_is_told_or_certain_and_nothing_lies_outside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let opened = |values: [f32; 4], range: Option<Range>| {
            npy(&path, &[1, 2, 2, 1], Order::C, values);
            ArrayImages::open(&path, ArrayOptions { range, ..ArrayOptions::default() })
        };
        let read = |values, range| image(&opened(values, Some(range)).unwrap(), 0)[..4].to_vec();
        assert_eq!(read([0.0, 0.5, 1.0, 100.0 / 255.0], Range::Unit), [0, 127, 255, 100]);
        assert_eq!(read([0.0, 0.5, 1.0, 100.0], Range::Bytes), [0, 0, 1, 100]);
        assert_eq!(read([0.0, 0.5, 1.0, -1.0], Range::Symmetric), [127, 191, 255, 0]);
        let refused = |values, range| opened(values, range).unwrap_err().to_string();
        // One value a rounding error below 0 does not make [0, 1] into [-1, 1].
        for values in [[0.0, 0.5, 1.0, 0.0], [0.0, 0.5, 1.0, -1e-6], [-0.5, 0.0, 0.5, 0.0]] {
            let said = refused(values, None);
            assert!(said.contains("do not say") && said.contains("say their range"), "{said}");
        }
        for (values, range) in [
            ([0.0, 0.5, 1.0, -1e-6], Range::Unit),
            ([-1.0, 0.5, 1.001, 0.0], Range::Symmetric),
            ([0.0, 0.5, 255.5, 0.0], Range::Bytes),
        ] {
            let said = refused(values, Some(range));
            assert!(said.contains("outside of the range") && said.contains("image 0"), "{said}");
        }
        // Floats just outside of [-1, 1] are refused whether the range is told or not.
        assert!(refused([-1.0, 0.9, 1.05, 0.0], None).contains("from -1 to 1.05"));
    }

    #[test]
    fn arrays_that_are_no_images_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let path = at("a.npy");
        let nhwc = ArrayOptions { layout: Some(Layout::Nhwc), ..ArrayOptions::default() };
        npy(&path, &[2, 3, 2, 3], Order::C, 0u8..36);
        assert!(message(&path).contains("either layout"));
        assert!(ArrayImages::open(&path, nhwc).unwrap_err().to_string().contains("3x2 pixels"));
        npy(&path, &[2, 2, 2, 3], Order::Fortran, 0u8..24);
        assert!(message(&path).contains("Fortran"));
        npy(&path, &[2, 12], Order::C, 0u8..24);
        assert!(message(&path).contains("[N, H, W, 3]"));
        npy(&path, &[1, 2, 2, 3], Order::C, 0i64..12);
        assert!(message(&path).contains("images are uint8"));
        npy(&path, &[1, 1, 1, 3], Order::C, [0.5f32, f32::NAN, 0.0]);
        assert!(message(&path).contains("either layout"));
        npy(&path, &[1, 2, 2, 1], Order::C, [0.5f32, -1.0, f32::NAN, 0.0]);
        assert!(message(&path).contains("image 0 has a pixel that is not finite"));
        npy(&path, &[1, 2, 2, 1], Order::C, [0.5f64, 255.0, 1.0, 0.0]);
        assert!(message(&path).contains("floats from 0 to 255"));
        npy(&path, &[0, 2, 2, 3], Order::C, [0u8; 0]);
        assert!(message(&path).contains("no image"));
        npy(&path, &[2, 2, 2, 3], Order::C, 0u8..24);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(message(&path).contains("is cut"));
        std::fs::write(at("a.npz"), &whole).unwrap();
        assert!(message(&at("a.npz")).contains("no whole npz"));
        std::fs::write(at("a.safetensors"), &whole).unwrap();
        assert!(message(&at("a.safetensors")).contains("no whole safetensors"));
        std::fs::write(at("a.bin"), &whole).unwrap();
        assert!(message(&at("a.bin")).contains("no .npy"));
        assert!(message(&at("b")).contains("does not exist"));
    }
}
