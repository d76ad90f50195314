//! Bias and (leaky) ReLU in one pass over `[N, C, inner]`.

use crate::Real;
use crate::real::sum;
use rayon::prelude::*;

/// Elements per task of element-wise work: large enough that a task costs more than its scheduling.
const CHUNK: usize = 1 << 15;

fn act<T: Real>(a: T, slope: T) -> T {
    if a > T::ZERO { a } else { slope * a }
}

/// `y = a > 0 ? a : slope·a` with `a = x + bias[channel]` (`a = x` without a bias). `slope` 1 is the identity, 0 ReLU.
///
/// # Panics
/// When a slice's length does not fit.
pub fn forward<T: Real>(x: &[T], bias: Option<&[T]>, slope: T, channels: usize, inner: usize, y: &mut [T]) {
    assert!(x.len() == y.len() && x.len().is_multiple_of(channels * inner), "bias and activation over {channels} channels");
    let Some(bias) = bias else {
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y = act(*x, slope)));
        return;
    };
    assert_eq!(bias.len(), channels);
    let rows = (CHUNK / (channels * inner)).max(1);
    let size = rows * channels * inner;
    y.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(y, x)| {
        for (i, (y, x)) in y.chunks_exact_mut(inner).zip(x.chunks_exact(inner)).enumerate() {
            let b = bias[i % channels];
            y.iter_mut().zip(x).for_each(|(y, x)| *y = act(*x + b, slope));
        }
    });
}

/// `dx = dy` where `y > 0`, else `slope·dy`. `y` may be the output or the pre-activation: their signs agree. At 0 the derivative is `slope`.
///
/// # Panics
/// When the lengths differ.
pub fn backward<T: Real>(y: &[T], dy: &[T], slope: T, dx: &mut [T]) {
    assert!(y.len() == dy.len() && y.len() == dx.len());
    dx.par_chunks_mut(CHUNK).zip(y.par_chunks(CHUNK).zip(dy.par_chunks(CHUNK))).for_each(|(dx, (y, dy))| {
        for (dx, (y, dy)) in dx.iter_mut().zip(y.iter().zip(dy)) {
            *dx = if *y > T::ZERO { *dy } else { slope * *dy };
        }
    });
}

/// `db[c] = Σ dx[n, c, i]`, accumulated in f64.
///
/// # Panics
/// When a slice's length does not fit.
pub fn grad_bias<T: Real>(dx: &[T], channels: usize, inner: usize, db: &mut [T]) {
    assert!(db.len() == channels && dx.len().is_multiple_of(channels * inner));
    db.par_iter_mut().enumerate().for_each(|(c, db)| {
        let total: f64 = dx.chunks_exact(channels * inner).map(|image| sum(&image[c * inner..][..inner])).sum();
        *db = T::from_f64(total);
    });
}
