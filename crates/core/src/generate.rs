//! Images from a generator: samples as bytes, and grids as PNG.

use crate::batch::Noise;
use crate::checkpoint::Checkpoint;
use crate::model::{Generator, Labels, Mode, Parameters, Place};
use crate::trainer::sampled;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use sngan_experiment::{RunSpec, atomic};
use std::path::Path;

/// Images per forward pass: fixed, so that memory is bounded and bits do not depend on how many are asked for.
const CHUNK: usize = 100;

/// Images in [−1, 1] to bytes by the authors' rule: clip(127.5·x + 127.5, 0, 255), truncated.
///
/// # Errors
/// Those of the tensor library.
pub fn to_bytes(images: &Tensor) -> Result<Vec<u8>> {
    let values = images.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    // NaN becomes 0 and is caught as divergence before images are drawn.
    Ok(values.into_iter().map(byte).collect())
}

/// The byte of one value in [−1, 1], by the rule of [`to_bytes`].
pub fn byte(value: f32) -> u8 {
    // `as` saturates and truncates.
    (127.5 * value + 127.5) as u8
}

/// Which samples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The number of the first: a multiple of 100, for samples are drawn in hundreds. The same number is the same sample, however many are
    /// asked for at a time.
    pub first: usize,
    /// How many.
    pub n: usize,
    /// Seed of the streams `sample`, for z, and `sample.y`, for the classes of a conditional G.
    pub seed: u64,
    /// This class alone, of a conditional G; else each image's class is drawn, each as likely.
    pub class: Option<u32>,
}

/// `n` images `[n, 3, side, side]` as bytes from a checkpoint: z from the stream `sample` of `seed`, and classes, where G is conditional,
/// from the stream `sample.y`; G in evaluation mode, or its moving average, where the run keeps one.
///
/// # Errors
/// When the checkpoint does not fit the spec.
pub fn images(spec: &RunSpec, checkpoint: &Checkpoint, device: &Device, n: usize, seed: u64) -> Result<Vec<u8>> {
    images_of(spec, checkpoint, device, Request { first: 0, n, seed, class: None })
}

/// [`images`] of one class, where the request names one.
///
/// # Errors
/// When the checkpoint does not fit the spec, or there is no such class.
pub fn images_of(spec: &RunSpec, checkpoint: &Checkpoint, device: &Device, request: Request) -> Result<Vec<u8>> {
    let place = Place::new(device);
    let mut g = Generator::from_tensors(spec, &sampled(&checkpoint.tensors), &place)?;
    draw(&mut g, spec, request, &place)
}

/// [`images_of`] from a generator in memory.
pub(crate) fn draw(g: &mut Generator, spec: &RunSpec, request: Request, place: &Place) -> Result<Vec<u8>> {
    if request.class.is_some() && spec.n_classes == 0 {
        return Err(Error::Invalid("a class was asked for, but the run's generator is not conditional".into()));
    }
    if !request.first.is_multiple_of(CHUNK) {
        return Err(Error::Invalid(format!("samples were asked for from number {}; it must be a multiple of {CHUNK}", request.first)));
    }
    let noise = Noise::new(spec, request.seed);
    let mut bytes = Vec::new();
    for (i, start) in (0..request.n).step_by(CHUNK).enumerate() {
        let (chunk, count) = ((request.first / CHUNK + i) as u64, CHUNK.min(request.n - start));
        let z = noise.z("sample", chunk, count, place)?;
        let labels = match request.class {
            Some(class) => Some(Labels::new(vec![class; count], spec.n_classes, place)?),
            None => noise.labels("sample.y", chunk, count, place)?,
        };
        bytes.extend(to_bytes(&g.forward(&z, labels.as_ref(), Parameters::Frozen, Mode::Eval)?)?);
    }
    Ok(bytes)
}

/// Writes images `[n, 3, side, side]` as a PNG grid without margins, row by row; the last row may be short (black). Each pixel becomes
/// `zoom` x `zoom` pixels.
///
/// # Errors
/// When the bytes are no whole number of images, or the file cannot be written.
pub fn write_grid(path: &Path, bytes: &[u8], side: usize, columns: usize, zoom: usize) -> Result<()> {
    let size = 3 * side * side;
    if columns == 0 || zoom == 0 || size == 0 || !bytes.len().is_multiple_of(size) {
        return Err(Error::Invalid(format!("{} bytes are no grid of 3x{side}x{side} images", bytes.len())));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_clipped_and_truncated() {
        let x = Tensor::new(&[-2.0f32, -1.0, 0.0, 0.999, 1.0, 3.0], &Device::Cpu).unwrap();
        assert_eq!(to_bytes(&x).unwrap(), [0, 0, 127, 254, 255, 255]);
    }

    #[test]
    fn a_grid_places_images_in_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.png");
        let bytes: Vec<u8> = (0..3u8).flat_map(|i| vec![i * 50; 3 * 4]).collect();
        write_grid(&path, &bytes, 2, 2, 1).unwrap();
        let grid = image::open(&path).unwrap().to_rgb8();
        assert_eq!(grid.dimensions(), (4, 4));
        assert_eq!((grid.get_pixel(2, 0).0[0], grid.get_pixel(0, 2).0[0], grid.get_pixel(3, 3).0[0]), (50, 100, 0));
        write_grid(&path, &bytes, 2, 2, 3).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().get_pixel(8, 2).0[0], 50);
        assert!(write_grid(&path, &bytes[1..], 2, 2, 1).is_err());
    }
}
