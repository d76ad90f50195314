//! Layer normalization over (H, W, C) of each image, for feature maps `[H·W, N, C]`, and the activation that follows it.

use crate::Real;
use crate::real::sum_by;
use rayon::prelude::*;

/// Pixels per task.
const PIXELS: usize = 16;

/// Sizes of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// N.
    pub images: usize,
    /// C.
    pub channels: usize,
}

impl Sizes {
    fn pixel(self) -> usize {
        self.images * self.channels
    }

    /// Two sums over each image's elements; `f(row of a, row of b)` gives a row's contribution.
    fn sums<T: Real>(
        self,
        a: &[T],
        b: &[T],
        f: impl Fn(usize, &[T], &[T]) -> [f64; 2] + Sync,
    ) -> Vec<[f64; 2]> {
        let partial: Vec<Vec<[f64; 2]>> = a
            .par_chunks(PIXELS * self.pixel())
            .zip(b.par_chunks(PIXELS * self.pixel()))
            .map(|(a, b)| {
                let mut sums = vec![[0.0; 2]; self.images];
                for (i, (a, b)) in
                    a.chunks_exact(self.channels).zip(b.chunks_exact(self.channels)).enumerate()
                {
                    let n = i % self.images;
                    let [first, second] = f(n, a, b);
                    sums[n][0] += first;
                    sums[n][1] += second;
                }
                sums
            })
            .collect();
        let mut total = vec![[0.0; 2]; self.images];
        for part in partial {
            total.iter_mut().zip(part).for_each(|(t, p)| *t = [t[0] + p[0], t[1] + p[1]]);
        }
        total
    }
}

/// Mean and 1/√(variance + eps) of each image.
fn statistics<T: Real>(sizes: Sizes, x: &[T], eps: f64) -> Vec<[f64; 2]> {
    let count = (x.len() / sizes.images) as f64;
    let means: Vec<f64> = sizes
        .sums(x, x, |_, x, _| [sum_by(x, |v| v), 0.0])
        .into_iter()
        .map(|s| s[0] / count)
        .collect();
    let squares = sizes.sums(x, x, |n, x, _| [sum_by(x, |v| (v - means[n]) * (v - means[n])), 0.0]);
    means.iter().zip(squares).map(|(m, s)| [*m, 1.0 / (s[0] / count + eps).sqrt()]).collect()
}

/// `y = act((x − mean)/√(var + eps) + beta)`; `beta` `[C]`; `act` is the identity for `slope` 1, ReLU for 0.
///
/// # Panics
/// When a slice's length does not fit.
pub fn forward<T: Real>(sizes: Sizes, x: &[T], beta: &[T], eps: f64, slope: T, y: &mut [T]) {
    assert!(
        x.len() == y.len() && x.len().is_multiple_of(sizes.pixel()) && beta.len() == sizes.channels,
        "layer norm of {sizes:?}"
    );
    let statistics = statistics(sizes, x, eps);
    y.par_chunks_mut(PIXELS * sizes.pixel()).zip(x.par_chunks(PIXELS * sizes.pixel())).for_each(
        |(y, x)| {
            for (i, (y, x)) in
                y.chunks_exact_mut(sizes.channels).zip(x.chunks_exact(sizes.channels)).enumerate()
            {
                let [mean, inverse] = statistics[i % sizes.images];
                let (scale, shift) = (T::from_f64(inverse), T::from_f64(-mean * inverse));
                for ((y, x), b) in y.iter_mut().zip(x).zip(beta) {
                    let a = *x * scale + shift + *b;
                    *y = if a > T::ZERO { a } else { slope * a };
                }
            }
        },
    );
}

/// Gradients of [`forward`], with `dy` the gradient before the activation: `dx`, and `dbeta = Σ dy`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn backward<T: Real>(sizes: Sizes, x: &[T], dy: &[T], eps: f64, dx: &mut [T], dbeta: &mut [T]) {
    assert!(
        x.len() == dy.len() && x.len() == dx.len() && dbeta.len() == sizes.channels,
        "layer norm of {sizes:?}"
    );
    crate::sums::columns(dy, dbeta);
    let statistics = statistics(sizes, x, eps);
    let count = (x.len() / sizes.images) as f64;
    // Σdy and Σdy·x̂ of each image.
    let sums = sizes.sums(x, dy, |n, x, dy| {
        let [mean, inverse] = statistics[n];
        let product = x
            .iter()
            .zip(dy)
            .map(|(x, dy)| (x.to_f64() - mean) * inverse * dy.to_f64())
            .sum::<f64>();
        [sum_by(dy, |v| v), product]
    });
    let size = PIXELS * sizes.pixel();
    dx.par_chunks_mut(size).zip(x.par_chunks(size).zip(dy.par_chunks(size))).for_each(
        |(dx, (x, dy))| {
            let rows = x.chunks_exact(sizes.channels).zip(dy.chunks_exact(sizes.channels));
            for (i, (dx, (x, dy))) in dx.chunks_exact_mut(sizes.channels).zip(rows).enumerate() {
                let n = i % sizes.images;
                let ([mean, inverse], [s, p]) = (statistics[n], sums[n]);
                // dx = inverse·(dy − mean(dy) − x̂·mean(dy·x̂)) as a·dy + b·x + c.
                let b = -inverse * inverse * p / count;
                let c = -inverse * s / count - b * mean;
                let (a, b, c) = (T::from_f64(inverse), T::from_f64(b), T::from_f64(c));
                for (dx, (x, dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
                    *dx = a * *dy + b * *x + c;
                }
            }
        },
    );
}
