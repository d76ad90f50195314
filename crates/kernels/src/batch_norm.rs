//! Batch normalization over `[N, C, inner]` with the batch's statistics; sums in f64.

use crate::Real;
use crate::real::{sum, sum_by};
use rayon::prelude::*;

/// Planes of channel `c`, one per image.
fn planes<T>(x: &[T], channels: usize, inner: usize, c: usize) -> impl Iterator<Item = &[T]> {
    x.chunks_exact(channels * inner).map(move |image| &image[c * inner..][..inner])
}

/// Applies `f(plane of out, plane of each input, channel)` to every plane.
fn map_planes<T: Real>(out: &mut [T], inputs: [&[T]; 2], channels: usize, inner: usize, f: impl Fn(&mut [T], [&[T]; 2], usize) + Sync) {
    let size = channels * inner;
    out.par_chunks_mut(size).zip(inputs[0].par_chunks(size).zip(inputs[1].par_chunks(size))).for_each(|(out, (a, b))| {
        let planes = out.chunks_exact_mut(inner).zip(a.chunks_exact(inner).zip(b.chunks_exact(inner)));
        for (c, (out, (a, b))) in planes.enumerate() {
            f(out, [a, b], c);
        }
    });
}

/// `y = (x − mean)/√(var + eps)·gamma + beta`; `mean` and the biased variance `var` `[C]` are written too. `gamma` is 1 when absent.
///
/// # Panics
/// When a slice's length does not fit.
#[allow(clippy::too_many_arguments, reason = "inputs, sizes and outputs of one formula")]
pub fn forward<T: Real>(
    x: &[T],
    gamma: Option<&[T]>,
    beta: &[T],
    eps: T,
    channels: usize,
    inner: usize,
    y: &mut [T],
    mean: &mut [T],
    var: &mut [T],
) {
    assert!(x.len() == y.len() && x.len().is_multiple_of(channels * inner), "batch norm over {channels} channels");
    assert!(beta.len() == channels && gamma.is_none_or(|g| g.len() == channels) && mean.len() == channels && var.len() == channels);
    let count = (x.len() / channels) as f64;
    mean.par_iter_mut().zip(var.par_iter_mut()).enumerate().for_each(|(c, (mean, var))| {
        // Two passes: the second works on centred values and so loses nothing to cancellation.
        let m = planes(x, channels, inner, c).map(sum).sum::<f64>() / count;
        let v = planes(x, channels, inner, c).map(|p| sum_by(p, |x| (x - m) * (x - m))).sum::<f64>() / count;
        (*mean, *var) = (T::from_f64(m), T::from_f64(v));
    });
    let (mean, var) = (&*mean, &*var);
    map_planes(y, [x, x], channels, inner, |y, [x, _], c| {
        let scale = gamma.map_or(1.0, |g| g[c].to_f64()) / (var[c].to_f64() + eps.to_f64()).sqrt();
        let (scale, mean, beta) = (T::from_f64(scale), mean[c], beta[c]);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (*x - mean) * scale + beta);
    });
}

/// Gradients of [`forward`]: `dx`, `dgamma = Σ dy·x̂`, `dbeta = Σ dy`, from the statistics that it wrote.
///
/// # Panics
/// When a slice's length does not fit.
#[allow(clippy::too_many_arguments, reason = "inputs, sizes and outputs of one formula")]
pub fn backward<T: Real>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    mean: &[T],
    var: &[T],
    eps: T,
    channels: usize,
    inner: usize,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    assert!(x.len() == dy.len() && x.len() == dx.len() && x.len().is_multiple_of(channels * inner));
    assert!([mean.len(), var.len(), dgamma.len(), dbeta.len()].iter().all(|n| *n == channels));
    let count = (x.len() / channels) as f64;
    let inverse = |c: usize| 1.0 / (var[c].to_f64() + eps.to_f64()).sqrt();
    let sums: Vec<[f64; 2]> = (0..channels)
        .into_par_iter()
        .map(|c| {
            let m = mean[c].to_f64();
            let mut sums = [0.0; 2];
            for (x, dy) in planes(x, channels, inner, c).zip(planes(dy, channels, inner, c)) {
                sums[0] += sum(dy);
                sums[1] += x.iter().zip(dy).map(|(x, dy)| (x.to_f64() - m) * dy.to_f64()).sum::<f64>();
            }
            [sums[0], sums[1] * inverse(c)]
        })
        .collect();
    for (c, [db, dg]) in sums.iter().enumerate() {
        (dbeta[c], dgamma[c]) = (T::from_f64(*db), T::from_f64(*dg));
    }
    map_planes(dx, [x, dy], channels, inner, |dx, [x, dy], c| {
        let [db, dg] = sums[c];
        let scale = gamma.map_or(1.0, |g| g[c].to_f64()) * inverse(c);
        // dx = scale·(dy − mean(dy) − x̂·mean(dy·x̂)) as a·dy + b·x + d.
        let b = -scale * inverse(c) * dg / count;
        let d = -scale * db / count - b * mean[c].to_f64();
        let (a, b, d) = (T::from_f64(scale), T::from_f64(b), T::from_f64(d));
        for (dx, (x, dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
            *dx = a * *dy + b * *x + d;
        }
    });
}
