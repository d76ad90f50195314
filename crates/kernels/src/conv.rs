//! Convolution (cross-correlation): forward, input gradient, weight gradient, by im2col and matrix products.
//!
//! The three maps are each other's adjoints. A transposed convolution is [`grad_input`] of the convolution it is the adjoint of; its
//! input gradient is [`forward`], its weight gradient [`grad_weight`] with x and dy exchanged.

use crate::im2col::{gather, scatter};
use crate::real::{View, product};
use crate::{ConvShape, Real};
use rayon::prelude::*;

/// Columns that a matrix product should have to be efficient: small images are taken several at a time.
const COLUMNS: usize = 256;
/// Partial sums of the weight gradient, at most; their number depends on the shape alone.
const PARTIAL_SUMS: usize = 8;

/// Images per matrix product.
fn block(s: &ConvShape) -> usize {
    COLUMNS.div_ceil(s.out_pixels()).clamp(1, s.batch)
}

fn check<T>(s: &ConvShape, x: &[T], w: &[T], y: &[T]) {
    assert_eq!(x.len(), s.batch * s.in_size(), "x of {s:?}");
    assert_eq!(w.len(), s.weights(), "w of {s:?}");
    assert_eq!(y.len(), s.batch * s.out_size(), "y of {s:?}");
}

/// `[images, channels, pixels]` → `[channels, images·pixels]`.
fn channels_first<T: Real>(from: &[T], channels: usize, pixels: usize, images: usize, to: &mut [T]) {
    for (image, one) in from.chunks_exact(channels * pixels).enumerate() {
        for (c, plane) in one.chunks_exact(pixels).enumerate() {
            to[c * images * pixels + image * pixels..][..pixels].copy_from_slice(plane);
        }
    }
}

/// The inverse of [`channels_first`].
fn images_first<T: Real>(from: &[T], channels: usize, pixels: usize, images: usize, to: &mut [T]) {
    for (image, one) in to.chunks_exact_mut(channels * pixels).enumerate() {
        for (c, plane) in one.chunks_exact_mut(pixels).enumerate() {
            plane.copy_from_slice(&from[c * images * pixels + image * pixels..][..pixels]);
        }
    }
}

/// `y[n, o] = Σ w[o, c, ky, kx] · x[n, c, y·stride + ky − padding, …]`.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn forward<T: Real>(s: &ConvShape, x: &[T], w: &[T], y: &mut [T]) {
    check(s, x, w, y);
    let (block, taps, pixels) = (block(s), s.taps(), s.out_pixels());
    let w = View { data: w, row: taps, column: 1 };
    y.par_chunks_mut(block * s.out_size()).zip(x.par_chunks(block * s.in_size())).for_each(|(y, x)| {
        let images = x.len() / s.in_size();
        let n = images * pixels;
        T::with_scratch([taps * n, s.out_channels * n], |columns, out| {
            gather(s, x, images, columns);
            let columns = View { data: columns, row: n, column: 1 };
            if images == 1 {
                product((s.out_channels, n, taps), w, columns, y, n, false);
            } else {
                product((s.out_channels, n, taps), w, columns, out, n, false);
                images_first(out, s.out_channels, pixels, images, y);
            }
        });
    });
}

/// The gradient of [`forward`] with respect to x: `dx = Wᵀ·dy`, summed over taps.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn grad_input<T: Real>(s: &ConvShape, dy: &[T], w: &[T], dx: &mut [T]) {
    check(s, dx, w, dy);
    let (block, taps, pixels) = (block(s), s.taps(), s.out_pixels());
    let w = View { data: w, row: 1, column: taps };
    dx.par_chunks_mut(block * s.in_size()).zip(dy.par_chunks(block * s.out_size())).for_each(|(dx, dy)| {
        let images = dx.len() / s.in_size();
        let n = images * pixels;
        T::with_scratch([taps * n, s.out_channels * n], |columns, out| {
            let dy = if images == 1 {
                dy
            } else {
                channels_first(dy, s.out_channels, pixels, images, out);
                out
            };
            product((taps, n, s.out_channels), w, View { data: dy, row: n, column: 1 }, columns, n, false);
            scatter(s, columns, images, dx);
        });
    });
}

/// The gradient of [`forward`] with respect to w: `dw = Σ dy·columnsᵀ`.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn grad_weight<T: Real>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    check(s, x, dw, dy);
    let block = block(s);
    // Each partial sum takes a run of whole blocks.
    let run = block * s.batch.div_ceil(block).div_ceil(PARTIAL_SUMS);
    let partial: Vec<Vec<T>> = x
        .par_chunks(run * s.in_size())
        .zip(dy.par_chunks(run * s.out_size()))
        .map(|(x, dy)| {
            let mut sum = vec![T::ZERO; s.weights()];
            for (i, (x, dy)) in x.chunks(block * s.in_size()).zip(dy.chunks(block * s.out_size())).enumerate() {
                accumulate_weight(s, x, dy, &mut sum, i > 0);
            }
            sum
        })
        .collect();
    dw.fill(T::ZERO);
    for sum in partial {
        for (total, part) in dw.iter_mut().zip(sum) {
            *total += part;
        }
    }
}

fn accumulate_weight<T: Real>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T], add: bool) {
    let (taps, pixels, images) = (s.taps(), s.out_pixels(), x.len() / s.in_size());
    let n = images * pixels;
    T::with_scratch([taps * n, s.out_channels * n], |columns, out| {
        gather(s, x, images, columns);
        let dy = if images == 1 {
            dy
        } else {
            channels_first(dy, s.out_channels, pixels, images, out);
            out
        };
        let columns = View { data: columns, row: 1, column: n };
        product((s.out_channels, taps, n), View { data: dy, row: n, column: 1 }, columns, dw, taps, add);
    });
}
