//! Batch normalization of `[rows, channels]` with the statistics of the batch, and the activation that follows it.

use crate::isa::Kernel;
use crate::simd::Simd;
use crate::sums::{CHUNK, Terms, per_channel};
use crate::{Isa, Real};
use rayon::prelude::*;

/// `out = a·x + b·second + shift` per channel, then the activation.
struct Affine<'a, T> {
    x: &'a [T],
    second: Option<&'a [T]>,
    /// a, b and shift, each `[channels]`.
    scale: &'a [T],
    second_scale: &'a [T],
    shift: &'a [T],
    slope: T,
    out: &'a mut [T],
}

impl<T: Real> Kernel<T> for Affine<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let channels = self.scale.len();
        for row in 0..self.out.len() / channels {
            for c in (0..channels).step_by(S::LANES) {
                let n = S::LANES.min(channels - c);
                // SAFETY: every slice holds whole rows or `channels` elements.
                unsafe {
                    let load = |s: &[T], at: usize| S::load_first(s.as_ptr().add(at), n);
                    let mut y = S::fma(
                        load(self.x, row * channels + c),
                        load(self.scale, c),
                        load(self.shift, c),
                    );
                    if let Some(second) = self.second {
                        y = S::fma(load(second, row * channels + c), load(self.second_scale, c), y);
                    }
                    let y = S::where_positive(y, y, S::mul(y, S::splat(self.slope)));
                    let target = self.out.as_mut_ptr().add(row * channels + c);
                    S::store_first(target, y, n);
                }
            }
        }
    }
}

/// [`Affine`] over all rows, `rows` of them per task.
pub(crate) fn affine<T: Real>(
    x: &[T],
    second: Option<&[T]>,
    [scale, second_scale, shift]: [&[T]; 3],
    slope: T,
    rows: usize,
    out: &mut [T],
) {
    let size = rows * scale.len();
    out.par_chunks_mut(size).enumerate().for_each(|(i, out)| {
        let part = |s: &'_ [T]| i * size..(i * size + out.len()).min(s.len());
        let (x, second) = (&x[part(x)], second.map(|s| &s[part(s)]));
        T::run(Isa::best(), Affine { x, second, scale, second_scale, shift, slope, out });
    });
}

/// Mean and biased variance of each channel.
///
/// # Panics
/// When a slice's length does not fit.
pub fn statistics<T: Real>(x: &[T], mean: &mut [T], var: &mut [T]) {
    let channels = mean.len();
    assert!(
        channels > 0 && var.len() == channels && !x.is_empty() && x.len().is_multiple_of(channels),
        "batch norm over {channels} channels"
    );
    // One pass, shifted by each channel's first value, so that values close to each other but far
    // from 0 keep their digits.
    let (first, second) = per_channel(Terms::Shifted(x, &x[..channels]), channels);
    let count = (x.len() / channels) as f64;
    for (c, (mean, var)) in mean.iter_mut().zip(var).enumerate() {
        let d = first[c] / count;
        *mean = T::from_f64(x[c].to_f64() + d);
        *var = T::from_f64((second[c] / count - d * d).max(0.0));
    }
}

/// `y = act((x − mean)/√(var + eps)·gamma + beta)` with given statistics `[channels]`; `gamma` is 1 when absent; `act` is the identity for
/// `slope` 1, ReLU for 0.
///
/// # Panics
/// When a slice's length does not fit.
#[allow(clippy::too_many_arguments, reason = "inputs and output of one formula")]
pub fn normalize<T: Real>(
    x: &[T],
    gamma: Option<&[T]>,
    beta: &[T],
    mean: &[T],
    var: &[T],
    eps: f64,
    slope: T,
    y: &mut [T],
) {
    let channels = beta.len();
    assert!(
        x.len() == y.len() && x.len().is_multiple_of(channels),
        "batch norm over {channels} channels"
    );
    assert!(
        mean.len() == channels
            && var.len() == channels
            && gamma.is_none_or(|g| g.len() == channels)
    );
    let scale = |c: usize| gamma.map_or(1.0, |g| g[c].to_f64()) / (var[c].to_f64() + eps).sqrt();
    let scales: Vec<T> = (0..channels).map(|c| T::from_f64(scale(c))).collect();
    let shifts: Vec<T> = (0..channels)
        .map(|c| T::from_f64(beta[c].to_f64() - mean[c].to_f64() * scale(c)))
        .collect();
    affine(x, None, [&scales, &scales, &shifts], slope, CHUNK, y);
}

/// Whose statistics [`normalize`] takes, and so whether they depend on its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalizedBy {
    /// The batch's own.
    OfBatch,
    /// Constants, such as running averages.
    Given,
}

/// Gradients of [`normalize`]: `dx`, `dgamma = Σ dy·x̂`, `dbeta = Σ dy`. `dy` is the gradient before the activation.
///
/// # Panics
/// When a slice's length does not fit.
#[allow(clippy::too_many_arguments, reason = "inputs and outputs of one formula")]
pub fn backward<T: Real>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    (mean, var, of): (&[T], &[T], NormalizedBy),
    eps: f64,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let channels = mean.len();
    assert!(x.len() == dy.len() && x.len() == dx.len() && x.len().is_multiple_of(channels));
    assert!([var.len(), dgamma.len(), dbeta.len()].iter().all(|n| *n == channels));
    let count = (x.len() / channels) as f64;
    let (db, dg) = per_channel(Terms::Product(dy, x, mean), channels);
    let mut coefficients = [(); 3].map(|()| Vec::with_capacity(channels));
    for c in 0..channels {
        let inverse = 1.0 / (var[c].to_f64() + eps).sqrt();
        let dg = dg[c] * inverse;
        (dbeta[c], dgamma[c]) = (T::from_f64(db[c]), T::from_f64(dg));
        let scale = gamma.map_or(1.0, |g| g[c].to_f64()) * inverse;
        // dx = scale·(dy − mean(dy) − x̂·mean(dy·x̂)) as scale·dy + b·x + shift; the means come
        // from the statistics.
        let (b, shift) = match of {
            NormalizedBy::Given => (0.0, 0.0),
            NormalizedBy::OfBatch => {
                let b = -scale * inverse * dg / count;
                (b, -scale * db[c] / count - b * mean[c].to_f64())
            }
        };
        coefficients
            .iter_mut()
            .zip([scale, b, shift])
            .for_each(|(list, value)| list.push(T::from_f64(value)));
    }
    let [scale, b, shift] = &coefficients;
    affine(dy, Some(x), [scale, b, shift], T::from_f64(1.0), CHUNK, dx);
}
