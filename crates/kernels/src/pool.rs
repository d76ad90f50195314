//! The mean over each 2x2 pixels, used on both branches of the discriminators' residual blocks.

use crate::Real;
use rayon::prelude::*;

/// The mean over each 2x2 pixels of lines of `2·width` pixels of `pixel` elements:
/// `[2H, 2·width, …]` → `[H, width, …]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn average<T: Real>(width: usize, pixel: usize, x: &[T], y: &mut [T]) {
    check(width, pixel, x.len(), y.len());
    let quarter = T::from_f64(0.25);
    y.par_chunks_mut(width * pixel).zip(x.par_chunks(4 * width * pixel)).for_each(|(y, lines)| {
        let (first, second) = lines.split_at(2 * width * pixel);
        let pairs = first.chunks_exact(2 * pixel).zip(second.chunks_exact(2 * pixel));
        for (y, (a, b)) in y.chunks_exact_mut(pixel).zip(pairs) {
            let ((a0, a1), (b0, b1)) = (a.split_at(pixel), b.split_at(pixel));
            for ((((y, a0), a1), b0), b1) in y.iter_mut().zip(a0).zip(a1).zip(b0).zip(b1) {
                *y = (*a0 + *a1 + (*b0 + *b1)) * quarter;
            }
        }
    });
}

/// [`average`]'s gradient: each pixel gets a quarter of its square's; `width` is still y's.
///
/// # Panics
/// When a slice's length does not fit.
pub fn average_backward<T: Real>(width: usize, pixel: usize, dy: &[T], dx: &mut [T]) {
    check(width, pixel, dx.len(), dy.len());
    let quarter = T::from_f64(0.25);
    dx.par_chunks_mut(4 * width * pixel).zip(dy.par_chunks(width * pixel)).for_each(
        |(lines, dy)| {
            let (first, second) = lines.split_at_mut(2 * width * pixel);
            for (two, dy) in first.chunks_exact_mut(2 * pixel).zip(dy.chunks_exact(pixel)) {
                let (left, right) = two.split_at_mut(pixel);
                left.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = *dy * quarter);
                right.copy_from_slice(left);
            }
            second.copy_from_slice(first);
        },
    );
}

fn check(width: usize, pixel: usize, large: usize, small: usize) {
    assert!(
        width * pixel > 0 && large == 4 * small && small.is_multiple_of(width * pixel),
        "pooling to lines of {width} pixels"
    );
}
