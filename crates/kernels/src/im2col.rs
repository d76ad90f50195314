//! Images to matrices of taps and back.

use crate::{ConvShape, Real};
use std::ops::Range;

/// Fills `columns` `[taps, images·out_pixels]` from `images` images of `x`.
pub(crate) fn gather<T: Real>(s: &ConvShape, x: &[T], images: usize, columns: &mut [T]) {
    let (pixels, out_w) = (s.out_pixels(), s.out_w());
    for_each_tap(s, |tap| {
        let columns = &mut columns[tap.row * images * pixels..][..images * pixels];
        for (out, image) in columns.chunks_exact_mut(pixels).zip(x.chunks_exact(s.in_size())) {
            let plane = &image[tap.plane.clone()];
            out[..tap.ys.start * out_w].fill(T::ZERO);
            out[tap.ys.end * out_w..].fill(T::ZERO);
            let lines = out[tap.ys.start * out_w..tap.ys.end * out_w].chunks_exact_mut(out_w);
            for (i, line) in lines.enumerate() {
                line[..tap.xs.start].fill(T::ZERO);
                line[tap.xs.end..].fill(T::ZERO);
                let (line, source) = (&mut line[tap.xs.clone()], &plane[tap.first + i * s.stride * s.in_w..]);
                match s.stride {
                    1 => line.copy_from_slice(&source[..line.len()]),
                    // A constant stride lets the compiler shuffle whole registers.
                    2 => line.iter_mut().zip(source.chunks(2)).for_each(|(to, from)| *to = from[0]),
                    stride => line.iter_mut().zip(source.chunks(stride)).for_each(|(to, from)| *to = from[0]),
                }
            }
        }
    });
}

/// The adjoint of [`gather`]: overwrites `images` images of `x` with the sums of their taps.
pub(crate) fn scatter<T: Real>(s: &ConvShape, columns: &[T], images: usize, x: &mut [T]) {
    let (pixels, out_w) = (s.out_pixels(), s.out_w());
    x.fill(T::ZERO);
    for_each_tap(s, |tap| {
        let columns = &columns[tap.row * images * pixels..][..images * pixels];
        for (values, image) in columns.chunks_exact(pixels).zip(x.chunks_exact_mut(s.in_size())) {
            let plane = &mut image[tap.plane.clone()];
            for (i, line) in values[tap.ys.start * out_w..tap.ys.end * out_w].chunks_exact(out_w).enumerate() {
                let (line, target) = (&line[tap.xs.clone()], &mut plane[tap.first + i * s.stride * s.in_w..]);
                match s.stride {
                    1 => target.iter_mut().zip(line).for_each(|(to, from)| *to += *from),
                    2 => target.chunks_mut(2).zip(line).for_each(|(to, from)| to[0] += *from),
                    stride => target.chunks_mut(stride).zip(line).for_each(|(to, from)| to[0] += *from),
                }
            }
        }
    });
}

/// A row of the tap matrix.
struct Tap {
    row: usize,
    /// The channel's plane within an image.
    plane: Range<usize>,
    /// Output lines and columns whose tap lies inside the image.
    ys: Range<usize>,
    xs: Range<usize>,
    /// Offset in the plane of the first output's tap.
    first: usize,
}

/// Calls `f` for every row whose tap meets the image somewhere, in order; a row that meets it nowhere has empty ranges.
fn for_each_tap(s: &ConvShape, mut f: impl FnMut(&Tap)) {
    let area = s.in_h * s.in_w;
    let ys: Vec<_> = (0..s.kernel).map(|ky| s.reach(ky, s.in_h, s.out_h())).collect();
    let xs: Vec<_> = (0..s.kernel).map(|kx| s.reach(kx, s.in_w, s.out_w())).collect();
    for channel in 0..s.in_channels {
        for (ky, ys) in ys.iter().enumerate() {
            for (kx, xs) in xs.iter().enumerate() {
                // Where either range is empty the tap sees padding only: no line is visited, and the offset is not used.
                let ys = if xs.is_empty() { 0..0 } else { ys.clone() };
                let first =
                    if ys.is_empty() { 0 } else { (ys.start * s.stride + ky - s.padding) * s.in_w + xs.start * s.stride + kx - s.padding };
                let row = (channel * s.kernel + ky) * s.kernel + kx;
                f(&Tap { row, plane: channel * area..(channel + 1) * area, ys, xs: xs.clone(), first });
            }
        }
    }
}
