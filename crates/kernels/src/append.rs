//! Appends features of whole images to the channels of their feature map.

use crate::Real;
use crate::plane::MapSize;
use rayon::prelude::*;

/// `y[p, n] = x[p, n] ‖ e[n]`: appends the features `e` `[N, E]` to the channels of every pixel;
/// `s` is x's size.
///
/// # Panics
/// When a slice's length does not fit.
pub fn forward<T: Real>(s: MapSize, x: &[T], e: &[T], y: &mut [T]) {
    let features = features(s, e.len());
    let row = s.channels + features;
    assert!(
        x.len() == s.len() && y.len() == s.pixels * s.images * row,
        "{features} features appended to {s:?}"
    );
    y.par_chunks_mut(s.images * row).zip(x.par_chunks(s.images * s.channels)).for_each(|(y, x)| {
        for ((y, x), e) in
            y.chunks_exact_mut(row).zip(x.chunks_exact(s.channels)).zip(e.chunks_exact(features))
        {
            y[..s.channels].copy_from_slice(x);
            y[s.channels..].copy_from_slice(e);
        }
    });
}

/// [`forward`]'s gradients: `dx` is the channels' part of `dy`; `de[n]` is the sum of the features'
/// part over all pixels.
///
/// # Panics
/// When a slice's length does not fit.
pub fn backward<T: Real>(s: MapSize, dy: &[T], dx: &mut [T], de: &mut [T]) {
    let features = features(s, de.len());
    let row = s.channels + features;
    assert!(
        dx.len() == s.len() && dy.len() == s.pixels * s.images * row,
        "{features} features appended to {s:?}"
    );
    dx.par_chunks_mut(s.images * s.channels).zip(dy.par_chunks(s.images * row)).for_each(
        |(dx, dy)| {
            for (dx, dy) in dx.chunks_exact_mut(s.channels).zip(dy.chunks_exact(row)) {
                dx.copy_from_slice(&dy[..s.channels]);
            }
        },
    );
    de.par_chunks_mut(features).enumerate().for_each(|(n, de)| {
        let mut sums = vec![0.0; features];
        for pixel in dy.chunks_exact(s.images * row) {
            let part = &pixel[n * row + s.channels..][..features];
            sums.iter_mut().zip(part).for_each(|(sum, d)| *sum += d.to_f64());
        }
        de.iter_mut().zip(sums).for_each(|(de, sum)| *de = T::from_f64(sum));
    });
}

/// The E of `[N, E]`.
fn features(s: MapSize, len: usize) -> usize {
    assert!(
        s.images > 0 && s.channels > 0 && len > 0 && len.is_multiple_of(s.images),
        "{len} features of {} images",
        s.images
    );
    len / s.images
}
