//! Convolution to few target channels: the weights of all taps are the columns of one product per
//! source pixel, and its parts are then added up per target pixel. A panel of only 3 channels, for
//! example, would leave most lanes of a vector empty. In the same way, the weight gradient takes
//! the few channels of all taps as the rows of one product.

use super::direct::{add_parts, panel_width, whole_panels};
use super::epilogue::Step;
use super::maps::{Direction, Maps};
use crate::isa::Kernel;
use crate::product::Product;
use crate::shared::SharedMut;
use crate::simd::Simd;
use crate::{ConvShape, Isa, Real};
use rayon::prelude::*;

/// Images per task, and target lines: the products of their source lines stay in the L2 cache.
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
    epilogue: Step<'a, T>,
    to: SharedMut<T>,
    scratch: &'a mut [T],
}

/// Source lines that some target lines read.
fn source_lines(maps: &Maps, lines: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let read = lines.flat_map(|y| {
        (0..maps.shape.kernel).filter_map(move |k| maps.source(y, k, maps.from.height))
    });
    let (low, high) = read.fold((usize::MAX, 0), |(low, high), y| (low.min(y), high.max(y + 1)));
    low.min(high)..high
}

impl<T: Real> Kernel<T> for Strip<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (images, from, to, width) =
            (self.maps.shape.batch, self.maps.from, self.maps.to, self.width);
        let rows = ROWS.min(images - self.image);
        let products = self.scratch.as_mut_ptr();
        for (i, pixel) in
            (self.sources.start * from.width..self.sources.end * from.width).enumerate()
        {
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
                let at = ((y * to.width + x) * images + self.image + row) * to.channels;
                // SAFETY: the scratch ends with a spare vector, so that a load may reach beyond a
                // tap's few channels; only this task writes these lines of these images; there are
                // fewer target channels than lanes.
                unsafe {
                    let mut sum = S::zero();
                    for (pixel, tap) in &sources {
                        let part = ((pixel - first) * rows + row) * width + tap * to.channels;
                        sum = S::add(sum, S::load(products.add(part)));
                    }
                    let v = self.epilogue.apply::<S>(sum, 0, at, to.channels);
                    S::store_first(self.to.pointer().add(at), v, to.channels);
                }
            }
        }
    }
}

/// Whether there are few enough target channels to stack the taps.
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
    epilogue: Step<'_, T>,
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
        T::with_scratch(sources.len() * maps.from.width * ROWS * width + isa.lanes(), |scratch| {
            let strip = Strip {
                maps,
                from,
                packed: &packed,
                width,
                lines,
                sources,
                image: i % chunks * ROWS,
                epilogue,
                to,
                scratch,
            };
            T::run(isa, strip);
        });
    });
}

/// The contribution of some lines of the side with many channels to the weight gradient:
/// `[tap · few + channel][row]`.
struct WeightPart<'a, T> {
    /// Lists, for a pixel of the side with many channels, those of the side with few.
    maps: Maps,
    few: &'a [T],
    /// Rows padded to whole panels.
    wide: &'a [T],
    channels: usize,
    row: usize,
    width: usize,
    lines: std::ops::Range<usize>,
    dw: &'a mut [T],
    scratch: &'a mut [T],
}

/// Number of images whose taps are gathered together.
const GATHERED: usize = 64;

impl<T: Real> Kernel<T> for WeightPart<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (images, k) = (self.maps.shape.batch, self.maps.shape.kernel);
        let (stacked, stride) = (k * k * self.channels, stride(k * k, self.channels));
        let mut sources = Vec::new();
        self.dw.fill(T::ZERO);
        for (y, x) in self.lines.clone().flat_map(|y| (0..self.maps.to.width).map(move |x| (y, x)))
        {
            self.maps.sources(y, x, &mut sources);
            for image in (0..images).step_by(GATHERED) {
                let rows = GATHERED.min(images - image);
                gather(
                    self.few,
                    self.channels,
                    (images, image),
                    &sources,
                    k * k,
                    &mut self.scratch[..rows * stride],
                );
                let wide = ((y * self.maps.to.width + x) * images + image) * self.row;
                for panel in (0..self.row).step_by(self.width) {
                    // SAFETY: the wide side holds `rows` rows from there, `dw` as many rows as taps are stacked.
                    unsafe {
                        S::product_transposed(&Product {
                            rows: stacked,
                            width: self.width,
                            depth: rows,
                            blocks: &[(
                                self.scratch.as_ptr(),
                                self.wide.as_ptr().add(wide + panel),
                            )],
                            a_row: stride,
                            b_row: self.row,
                            c_row: self.row,
                            c: self.dw.as_mut_ptr().add(panel),
                            add: true,
                        });
                    }
                }
            }
        }
    }
}

/// Elements from one gathered row to the next: four values are copied for a tap of three, so the
/// last tap needs room.
fn stride(taps: usize, channels: usize) -> usize {
    taps * channels + 4
}

/// Rows of all taps' channels around a pixel, for images from `image` on; zeros where a tap lies outside.
#[inline(always)]
fn gather<T: Real>(
    few: &[T],
    channels: usize,
    (images, image): (usize, usize),
    sources: &[(usize, usize)],
    taps: usize,
    rows: &mut [T],
) {
    let stride = stride(taps, channels);
    let count = rows.len() / stride;
    let mut sources = sources.iter().peekable();
    for tap in 0..taps {
        let column = tap * channels;
        let Some((pixel, _)) = sources.next_if(|(_, t)| *t == tap) else {
            rows.chunks_exact_mut(stride)
                .for_each(|row| row[column..column + channels].fill(T::ZERO));
            continue;
        };
        let start = (pixel * images + image) * channels;
        if channels <= 4 && start + count * channels + 4 <= few.len() {
            for (i, row) in rows.chunks_exact_mut(stride).enumerate() {
                // SAFETY: four numbers are there by the condition above, and a row has room for
                // four from any tap on; the surplus is overwritten by the next tap.
                unsafe {
                    row.as_mut_ptr()
                        .add(column)
                        .cast::<[T; 4]>()
                        .write(few.as_ptr().add(start + i * channels).cast::<[T; 4]>().read())
                }
            }
        } else {
            for (row, from) in
                rows.chunks_exact_mut(stride).zip(few[start..].chunks_exact(channels))
            {
                row[column..column + channels].copy_from_slice(from);
            }
        }
    }
}

/// Parts of the image that are summed in parallel.
const PARTS: usize = 8;

/// The weight gradient of `shape`; slices have been checked, and one side's channels are few.
pub(super) fn grad_weight<T: Real>(isa: Isa, shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let isa = T::isa(isa);
    let few_is_x = shape.in_channels <= shape.out_channels;
    let (few, wide) = if few_is_x { (x, dy) } else { (dy, x) };
    // A map from the side with few channels to the side with many.
    let maps = Maps::new(shape, if few_is_x { Direction::Forward } else { Direction::Adjoint });
    let (channels, wide_channels) = (maps.from.channels, maps.to.channels);
    let width = panel_width(wide_channels, isa.lanes());
    let (wide, row) = whole_panels(wide, wide_channels, width);

    let taps = shape.kernel * shape.kernel;
    let (size, parts) = (taps * channels * row, PARTS.min(maps.to.height));
    let mut partial = vec![T::ZERO; parts * size];
    partial.par_chunks_mut(size).enumerate().for_each(|(part, dw)| {
        let lines = part * maps.to.height / parts..(part + 1) * maps.to.height / parts;
        T::with_scratch(GATHERED * stride(taps, channels), |scratch| {
            T::run(
                isa,
                WeightPart { maps, few, wide: &wide, channels, row, width, lines, dw, scratch },
            );
        });
    });
    add_parts(&partial, parts, dw, |i| {
        let (o, c, tap) = (i / taps / shape.in_channels, i / taps % shape.in_channels, i % taps);
        let (few, wide) = if few_is_x { (c, o) } else { (o, c) };
        (tap * channels + few) * row + wide
    });
}
