//! Direct filters: runs of target pixels whose taps all lie inside are the rows of one product, summed over taps and channels.

use super::map::{Map, MapMut, Target};
use super::panels::{Panel, Panels, finish};
use super::{Filter, FilterShape};
use crate::Isa;
use crate::isa::Kernel;
use crate::product::Product;
use crate::real::sealed::Run;
use crate::simd::Simd;
use rayon::prelude::*;
use std::ops::Range;

/// Maximum rows of a product: its block of the result stays in the L1 cache.
const ROWS: usize = 96;
/// Maximum channels of a product's operands, so that its weights also stay there.
const DEPTH: usize = 128;
/// Minimum pixels per task: a panel of weights is read once for all of them.
const PIXELS: usize = 16;

/// `[panel][tap][in][panel width]`.
pub(super) fn pack(shape: &FilterShape, panels: &Panels, weights: &[f32]) -> Vec<f32> {
    let (channels, taps) = (shape.in_channels, shape.taps());
    let mut packed = Vec::with_capacity(weights.len());
    for Panel { first, width } in panels.iter() {
        for tap in 0..taps {
            for c in 0..channels {
                packed.extend(
                    (first..first + width).map(|o| weights[(o * channels + c) * taps + tap]),
                );
            }
        }
    }
    packed
}

/// Some target pixels of one line.
struct Line<'a> {
    filter: &'a Filter,
    x: Map<'a>,
    bias: Option<&'a [f32]>,
    to: Target,
    y: usize,
    columns: Range<usize>,
    scratch: &'a mut [f32],
}

/// Adjacent target pixels that read the same taps, with those taps: (source pixel of the first,
/// tap).
#[derive(Default)]
struct Span {
    columns: Range<usize>,
    sources: Vec<(usize, usize)>,
}

impl Line<'_> {
    /// The source pixels of target pixel (y, column) and their taps.
    fn sources(&self, column: usize) -> Vec<(usize, usize)> {
        let FilterShape { kernel, stride, padding, .. } = self.filter.shape;
        let source = |to: usize, tap: usize, pad: usize, size: usize| {
            (to * stride + tap).checked_sub(pad).filter(|from| *from < size)
        };
        let mut list = Vec::with_capacity(kernel.0 * kernel.1);
        for i in 0..kernel.0 {
            let Some(from_y) = source(self.y, i, padding.0, self.x.plane.height) else { continue };
            for j in 0..kernel.1 {
                if let Some(from_x) = source(column, j, padding.1, self.x.plane.width) {
                    list.push((from_y * self.x.plane.width + from_x, i * kernel.1 + j));
                }
            }
        }
        list
    }

    /// The columns in spans of at most `longest` pixels; rows of adjacent pixels are evenly spaced
    /// only at stride 1.
    fn spans(&self, longest: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for column in self.columns.clone() {
            let sources = self.sources(column);
            let extends = spans.last().is_some_and(|span| {
                let step = span.columns.len();
                self.filter.shape.stride == 1
                    && step < longest
                    && span.sources.len() == sources.len()
                    && span.sources.iter().zip(&sources).all(|(a, b)| (a.0 + step, a.1) == *b)
            });
            match spans.last_mut() {
                Some(span) if extends => span.columns.end += 1,
                _ => spans.push(Span { columns: column..column + 1, sources }),
            }
        }
        spans
    }
}

impl Kernel<f32> for Line<'_> {
    #[inline(always)]
    fn run<S: Simd<T = f32>>(self) {
        let images = self.x.plane.images;
        let spans = self.spans((ROWS / images).max(1));
        let scratch = self.scratch.as_mut_ptr();
        let mut blocks = Vec::new();
        for panel in self.filter.panels.iter() {
            for span in &spans {
                let pixel = self.y * self.to.plane.width + span.columns.start;
                let all = span.columns.len() * images;
                for start in (0..all).step_by(ROWS) {
                    let rows = start..(start + ROWS).min(all);
                    // SAFETY: the scratch holds ROWS rows of a panel; only this task writes these pixels of y.
                    unsafe {
                        self.sum::<S>(panel, span, rows.clone(), scratch, &mut blocks);
                        self.store::<S>(panel, pixel * images + start, rows.len(), scratch);
                    }
                }
            }
        }
    }
}

impl Line<'_> {
    /// The sums of `rows` of a span for a panel, `[rows, panel width]`.
    ///
    /// Safety: `sums` has room for them.
    #[inline(always)]
    unsafe fn sum<S: Simd<T = f32>>(
        &self,
        Panel { first, width }: Panel,
        span: &Span,
        rows: Range<usize>,
        sums: *mut f32,
        blocks: &mut Vec<(*const f32, *const f32)>,
    ) {
        let (images, channels, a_row) = (self.x.plane.images, self.x.channels, self.x.pitch);
        let weights = &self.filter.packed[first * self.filter.shape.taps() * channels..];
        let product = |depth, blocks: &[_], add| {
            let product = Product {
                rows: rows.len(),
                width,
                depth,
                blocks,
                a_row,
                b_row: width,
                c_row: width,
                c: sums,
                add,
            };
            // SAFETY: the blocks reach over the rows of x and the packed panel; `sums` has room as the caller guarantees.
            unsafe { S::product(&product) };
        };
        if span.sources.is_empty() {
            // An empty product is 0.
            product(0, &[], false);
        }
        // With few channels, several taps at once; with many, one tap in pieces.
        let (depth, together) = (channels.min(DEPTH), (DEPTH / channels).max(1));
        let mut add = false;
        for group in span.sources.chunks(together) {
            for c in (0..channels).step_by(depth) {
                blocks.clear();
                // SAFETY: the pixels lie within x, taps and channels within the packed panel.
                blocks.extend(group.iter().map(|(source, tap)| unsafe {
                    let a = self.x.data.as_ptr().add((source * images + rows.start) * a_row + c);
                    (a, weights.as_ptr().add((tap * channels + c) * width))
                }));
                product(depth.min(channels - c), blocks, add);
                add = true;
            }
        }
    }

    /// Stores `rows` rows of sums in y, from row `row` on.
    ///
    /// Safety: the sums are there, and no other task writes the rows.
    #[inline(always)]
    unsafe fn store<S: Simd<T = f32>>(
        &self,
        Panel { first, width }: Panel,
        row: usize,
        rows: usize,
        sums: *const f32,
    ) {
        for i in 0..rows {
            for c in (0..width).step_by(S::LANES) {
                // SAFETY: guaranteed by the caller; the panel's channels are y's.
                unsafe {
                    let v = S::load(sums.add(i * width + c));
                    S::store(
                        self.to.row(row + i).add(first + c),
                        finish::<S>(v, self.bias, first + c),
                    );
                }
            }
        }
    }
}

/// y from x; sizes have been checked.
pub(super) fn apply(filter: &Filter, x: Map<'_>, bias: Option<&[f32]>, y: &mut MapMut<'_>) {
    let mut to = y.share();
    let mut x = x;
    if filter.shape.taps() == 1 && filter.shape.stride == 1 && filter.shape.padding == (0, 0) {
        // A filter that reads only its own pixel can treat the plane as one long line.
        x.plane = super::Plane { height: 1, width: x.plane.pixels(), ..x.plane };
        to.plane = x.plane;
    }
    let pieces = (to.plane.width / PIXELS).max(1);
    (0..to.plane.height * pieces).into_par_iter().for_each(|i| {
        let (line, piece) = (i / pieces, i % pieces);
        let columns = piece * to.plane.width / pieces..(piece + 1) * to.plane.width / pieces;
        f32::with_scratch(ROWS * filter.panels.widest(), |scratch| {
            run(filter.isa, Line { filter, x, bias, to, y: line, columns, scratch });
        });
    });
}

fn run(isa: Isa, line: Line<'_>) {
    f32::run(isa, line);
}
