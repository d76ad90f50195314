//! Convolution to few target channels: all taps' weights side by side as the columns of one product per source pixel, whose parts are then
//! added up per target pixel. A panel of, say, 3 channels alone would leave most lanes of a vector empty.

use super::epilogue::Epilogue;
use super::maps::{Direction, Maps};
use crate::isa::Kernel;
use crate::product::Product;
use crate::shared::SharedMut;
use crate::simd::Simd;
use crate::{ConvShape, Isa, Real};
use rayon::prelude::*;

/// Images per task, and target lines: the products of their source lines stay in the second-level cache.
const ROWS: usize = 8;
const LINES: usize = 16;

/// `w` as `[from channel][tap · to channels + to channel]`, zero up to `width`.
fn pack<T: Real>(maps: &Maps, w: &[T], width: usize) -> Vec<T> {
    let taps = maps.shape.kernel * maps.shape.kernel;
    let (to_stride, from_stride) = maps.weight_strides();
    let mut packed = vec![T::ZERO; maps.from.channels * width];
    for (c, row) in packed.chunks_exact_mut(width).enumerate() {
        for (i, value) in row.iter_mut().enumerate().take(taps * maps.to.channels) {
            let (tap, o) = (i / maps.to.channels, i % maps.to.channels);
            *value = w[o * to_stride + c * from_stride + tap];
        }
    }
    packed
}

/// Some target lines of some images.
struct Strip<'a, T> {
    maps: Maps,
    from: &'a [T],
    packed: &'a [T],
    width: usize,
    lines: std::ops::Range<usize>,
    /// Source lines that the target lines read.
    sources: std::ops::Range<usize>,
    image: usize,
    epilogue: Epilogue<'a, T>,
    to: SharedMut<T>,
    scratch: &'a mut [T],
}

/// Source lines that some target lines read.
fn source_lines(maps: &Maps, lines: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let read = lines.flat_map(|y| (0..maps.shape.kernel).filter_map(move |k| maps.source(y, k, maps.from.height)));
    let (low, high) = read.fold((usize::MAX, 0), |(low, high), y| (low.min(y), high.max(y + 1)));
    low.min(high)..high
}

impl<T: Real> Kernel<T> for Strip<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (images, from, to, width) = (self.maps.shape.batch, self.maps.from, self.maps.to, self.width);
        let rows = ROWS.min(images - self.image);
        let products = self.scratch.as_mut_ptr();
        for (i, pixel) in (self.sources.start * from.width..self.sources.end * from.width).enumerate() {
            // SAFETY: the pixel lies within the source, and the scratch holds a product for each pixel of the source lines.
            unsafe {
                let a = self.from.as_ptr().add((pixel * images + self.image) * from.channels);
                S::product(&Product {
                    rows,
                    width,
                    depth: from.channels,
                    blocks: &[(a, self.packed.as_ptr())],
                    a_row: from.channels,
                    b_row: width,
                    c_row: width,
                    c: products.add(i * rows * width),
                    add: false,
                });
            }
        }
        let first = self.sources.start * from.width;
        let mut sources = Vec::new();
        for (y, x) in self.lines.flat_map(|y| (0..to.width).map(move |x| (y, x))) {
            self.maps.sources(y, x, &mut sources);
            for row in 0..rows {
                let mut sums = [T::ZERO; 16];
                for (pixel, tap) in &sources {
                    let at = ((pixel - first) * rows + row) * width + tap * to.channels;
                    sums.iter_mut().zip(&self.scratch[at..at + to.channels]).for_each(|(sum, part)| *sum += *part);
                }
                let at = ((y * to.width + x) * images + self.image + row) * to.channels;
                // SAFETY: this task alone writes these lines of these images; there are fewer target channels than lanes.
                unsafe {
                    let v = self.epilogue.apply::<S>(S::load(sums.as_ptr()), 0, at, to.channels);
                    S::store_first(self.to.pointer().add(at), v, to.channels);
                }
            }
        }
    }
}

/// Whether so few target channels are worth stacking the taps.
pub(super) fn fits(to_channels: usize, lanes: usize) -> bool {
    2 * to_channels <= lanes
}

/// The map of `shape` in `direction` from `from` to `to`; slices have been checked, and the target channels are few.
pub(super) fn map<T: Real>(
    isa: Isa,
    shape: &ConvShape,
    direction: Direction,
    from: &[T],
    w: &[T],
    epilogue: Epilogue<'_, T>,
    to: &mut [T],
) {
    let maps = Maps::new(shape, direction);
    let isa = T::isa(isa);
    let width = (shape.kernel * shape.kernel * maps.to.channels).next_multiple_of(isa.lanes());
    let packed = pack(&maps, w, width);
    let (strips, chunks) = (maps.to.height.div_ceil(LINES), shape.batch.div_ceil(ROWS));
    let to = SharedMut::new(to);
    (0..strips * chunks).into_par_iter().for_each(|i| {
        let lines = i / chunks * LINES..((i / chunks + 1) * LINES).min(maps.to.height);
        let sources = source_lines(&maps, lines.clone());
        T::with_scratch(sources.len() * maps.from.width * ROWS * width, |scratch| {
            let strip = Strip { maps, from, packed: &packed, width, lines, sources, image: i % chunks * ROWS, epilogue, to, scratch };
            T::run(isa, strip);
        });
    });
}
