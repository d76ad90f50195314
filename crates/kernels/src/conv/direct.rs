//! Direct convolution: one batch-reduce product over the taps for each target pixel, with the
//! images of the batch as rows. Works for any shape.

use super::epilogue::Step;
use super::maps::{Direction, Maps};
use crate::isa::Kernel;
use crate::product::Product;
use crate::shared::SharedMut;
use crate::simd::Simd;
use crate::{ConvShape, Isa, Real};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Images per product: a block of the result stays in the L1 cache until its epilogue.
const ROWS: usize = 64;
/// Target channels per panel of packed weights.
const PANEL: usize = 64;
/// Up to this many weights, their gradient is summed over parts of the image in parallel; above,
/// tap by tap.
const SMALL: usize = 1 << 16;
/// Parts of the image, for few weights.
const PARTS: usize = 8;

/// Width of the panels for `channels`, a multiple of the lanes.
pub(super) fn panel_width(channels: usize, lanes: usize) -> usize {
    channels.min(PANEL).next_multiple_of(lanes)
}

/// `w` as `[panel][tap][from channel][panel width]`, zero where a panel is wider than the remaining
/// channels.
fn pack<T: Real>(maps: &Maps, w: &[T], width: usize) -> Vec<T> {
    let taps = maps.shape.kernel * maps.shape.kernel;
    let (from, to) = (maps.from.channels, maps.to.channels);
    let (to_stride, from_stride) = maps.weight_strides();
    let mut packed = vec![T::ZERO; to.div_ceil(width) * taps * from * width];
    packed.par_chunks_mut(from * width).enumerate().for_each(|(i, block)| {
        let (panel, tap) = (i / taps, i % taps);
        for (c, row) in block.chunks_exact_mut(width).enumerate() {
            for (o, value) in row.iter_mut().enumerate().take(to - panel * width) {
                *value = w[(panel * width + o) * to_stride + c * from_stride + tap];
            }
        }
    });
    packed
}

/// One line of target pixels.
struct Line<'a, T> {
    maps: Maps,
    from: &'a [T],
    packed: &'a [T],
    width: usize,
    epilogue: Step<'a, T>,
    to: SharedMut<T>,
    y: usize,
    scratch: &'a mut [T],
}

impl<T: Real> Kernel<T> for Line<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (taps, width) = (self.maps.shape.kernel * self.maps.shape.kernel, self.width);
        let (from, to, images) = (self.maps.from, self.maps.to, self.maps.shape.batch);
        let (mut sources, mut blocks) = (Vec::new(), Vec::new());
        for x in 0..to.width {
            self.maps.sources(self.y, x, &mut sources);
            for (panel, first) in (0..to.channels).step_by(width).enumerate() {
                let channels = width.min(to.channels - first);
                for image in (0..images).step_by(ROWS) {
                    let rows = ROWS.min(images - image);
                    blocks.clear();
                    // SAFETY: `sources` lists pixels of `from` and taps of the packed weights; rows and panel lie within both.
                    blocks.extend(sources.iter().map(|(pixel, tap)| unsafe {
                        let a = self.from.as_ptr().add((pixel * images + image) * from.channels);
                        (a, self.packed.as_ptr().add((panel * taps + tap) * from.channels * width))
                    }));
                    let offset = ((self.y * to.width + x) * images + image) * to.channels + first;
                    // SAFETY: the scratch holds ROWS rows of a panel, and only this task writes this line's pixels of `to`.
                    unsafe {
                        S::product(&Product {
                            rows,
                            width,
                            depth: from.channels,
                            blocks: &blocks,
                            a_row: from.channels,
                            b_row: width,
                            c_row: width,
                            c: self.scratch.as_mut_ptr(),
                            add: false,
                        });
                        for row in 0..rows {
                            for c in (0..channels).step_by(S::LANES) {
                                let (n, at) =
                                    (S::LANES.min(channels - c), offset + row * to.channels + c);
                                let v = S::load(self.scratch.as_ptr().add(row * width + c));
                                let v = self.epilogue.apply::<S>(v, first + c, at, n);
                                let target = self.to.pointer().add(at);
                                S::store_first(target, v, n);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The map of `shape` in `direction` from `from` to `to`; slices have been checked.
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
    let width = panel_width(maps.to.channels, isa.lanes());
    let packed = pack(&maps, w, width);
    let to = SharedMut::new(to);
    (0..maps.to.height).into_par_iter().for_each(|y| {
        T::with_scratch(ROWS * width, |scratch| {
            T::run(isa, Line { maps, from, packed: &packed, width, epilogue, to, y, scratch })
        });
    });
}

/// The contribution of some lines of y to the weight gradient, for some taps: `[tap][in][row]`.
struct WeightPart<'a, T> {
    maps: Maps,
    x: &'a [T],
    /// Rows padded to whole panels.
    dy: &'a [T],
    /// Elements of a row of `dy`, and of a panel of it.
    row: usize,
    width: usize,
    lines: Range<usize>,
    taps: Range<usize>,
    dw: &'a mut [T],
}

impl<T: Real> Kernel<T> for WeightPart<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (images, k) = (self.maps.shape.batch, self.maps.shape.kernel);
        let (from, to) = (self.maps.from, self.maps.to);
        let mut blocks = Vec::new();
        self.dw.fill(T::ZERO);
        for y in self.lines.clone() {
            for tap in self.taps.clone() {
                let Some(from_y) = self.maps.source(y, tap / k, from.height) else { continue };
                for panel in (0..self.row).step_by(self.width) {
                    blocks.clear();
                    for x in 0..to.width {
                        let Some(from_x) = self.maps.source(x, tap % k, from.width) else {
                            continue;
                        };
                        let (in_x, in_y) =
                            ((from_y * from.width + from_x) * images, (y * to.width + x) * images);
                        // SAFETY: both pixels lie within their feature maps, and the panel within a row.
                        blocks.push(unsafe {
                            (
                                self.x.as_ptr().add(in_x * from.channels),
                                self.dy.as_ptr().add(in_y * self.row + panel),
                            )
                        });
                    }
                    let c = (tap - self.taps.start) * from.channels * self.row + panel;
                    // SAFETY: `dw` holds [taps][in][row], and the blocks reach over `images` rows of both sides.
                    unsafe {
                        S::product_transposed(&Product {
                            rows: from.channels,
                            width: self.width,
                            depth: images,
                            blocks: &blocks,
                            a_row: from.channels,
                            b_row: self.row,
                            c_row: self.row,
                            c: self.dw.as_mut_ptr().add(c),
                            add: true,
                        });
                    }
                }
            }
        }
    }
}

/// The weight gradient of `shape`; slices have been checked.
pub(super) fn grad_weight<T: Real>(isa: Isa, shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let maps = Maps::new(shape, Direction::Forward);
    let isa = T::isa(isa);
    let taps = shape.kernel * shape.kernel;
    let width = panel_width(shape.out_channels, isa.lanes());
    let (dy, row) = whole_panels(dy, shape.out_channels, width);

    let small = shape.weights() <= SMALL;
    let parts = if small { PARTS.min(maps.to.height) } else { 1 };
    let groups = if small { 1 } else { taps };
    let size = taps / groups * shape.in_channels * row;
    let mut partial = vec![T::ZERO; parts * groups * size];
    partial.par_chunks_mut(size).enumerate().for_each(|(i, dw)| {
        let (part, group) = (i / groups, i % groups);
        let lines = part * maps.to.height / parts..(part + 1) * maps.to.height / parts;
        let taps = group * (taps / groups)..(group + 1) * (taps / groups);
        T::run(isa, WeightPart { maps, x, dy: &dy, row, width, lines, taps, dw });
    });
    // [part][tap][in][row] → [out][in][tap].
    add_parts(&partial, parts, dw, |i| {
        let (o, c, tap) = (i / taps / shape.in_channels, i / taps % shape.in_channels, i % taps);
        (tap * shape.in_channels + c) * row + o
    });
}

/// `dw[i]` is the sum over parts, in order, of the element at `place(i)`.
pub(super) fn add_parts<T: Real>(
    partial: &[T],
    parts: usize,
    dw: &mut [T],
    place: impl Fn(usize) -> usize + Sync,
) {
    let size = partial.len() / parts;
    dw.par_iter_mut().with_min_len(1 << 12).enumerate().for_each(|(i, value)| {
        let at = place(i);
        *value = (1..parts).fold(partial[at], |sum, part| sum + partial[part * size + at]);
    });
}

/// `values` with rows of `channels` padded with zeros to whole panels of `width`, and the new
/// length of a row.
pub(super) fn whole_panels<T: Real>(
    values: &[T],
    channels: usize,
    width: usize,
) -> (Cow<'_, [T]>, usize) {
    let row = channels.next_multiple_of(width);
    if row == channels {
        return (Cow::Borrowed(values), row);
    }
    let mut padded = vec![T::ZERO; values.len() / channels * row];
    padded
        .par_chunks_mut(row)
        .with_min_len(1 << 10)
        .zip(values.par_chunks(channels))
        .for_each(|(p, v)| p[..channels].copy_from_slice(v));
    (Cow::Owned(padded), row)
}
