//! Batch normalization of `[rows, channels]` with the statistics of the batch, and the activation that follows it.

use crate::isa::Kernel;
use crate::simd::Simd;
use crate::sums::{CHUNK, Terms, per_channel};
use crate::{Isa, Real};
use rayon::prelude::*;

/// `out = scale·(x − centre) + shift` per channel, plus a multiple of another map, then the activation.
///
/// The difference comes first: of values far from 0 beside their spread, `scale·x` would have lost the digits that are left.
pub(crate) struct Affine<'a, T> {
    pub(crate) x: &'a [T],
    /// Each `[channels]`.
    pub(crate) centre: &'a [T],
    pub(crate) scale: &'a [T],
    pub(crate) shift: &'a [T],
    /// Another map, and its multiplier `[channels]`.
    pub(crate) other: Option<(&'a [T], &'a [T])>,
    pub(crate) slope: T,
}

/// [`Affine`] of some rows.
struct Rows<'a, T> {
    of: Affine<'a, T>,
    out: &'a mut [T],
}

impl<T: Real> Kernel<T> for Rows<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let Rows { of: Affine { x, centre, scale, shift, other, slope }, out } = self;
        let channels = scale.len();
        for row in 0..out.len() / channels {
            for c in (0..channels).step_by(S::LANES) {
                let (n, at) = (S::LANES.min(channels - c), row * channels + c);
                // SAFETY: every slice holds whole rows or `channels` elements.
                unsafe {
                    let load = |s: &[T], at: usize| S::load_first(s.as_ptr().add(at), n);
                    let difference = S::sub(load(x, at), load(centre, c));
                    let mut y = S::fma(difference, load(scale, c), load(shift, c));
                    if let Some((other, multiplier)) = other {
                        y = S::fma(load(other, at), load(multiplier, c), y);
                    }
                    let y = S::where_positive(y, y, S::mul(y, S::splat(slope)));
                    S::store_first(out.as_mut_ptr().add(at), y, n);
                }
            }
        }
    }
}

impl<T: Real> Affine<'_, T> {
    /// Over all rows, `rows` of them per task.
    pub(crate) fn run(self, rows: usize, out: &mut [T]) {
        let size = rows * self.scale.len();
        out.par_chunks_mut(size).enumerate().for_each(|(i, out)| {
            let part = i * size..i * size + out.len();
            let other = self.other.map(|(map, by)| (&map[part.clone()], by));
            let of = Affine { x: &self.x[part.clone()], other, ..self };
            T::run(Isa::best(), Rows { of, out });
        });
    }
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
    // One pass around each channel's first value: values that are close to each other but far from 0 keep their digits.
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
    Affine { x, centre: mean, scale: &scales, shift: beta, other: None, slope }.run(CHUNK, y);
}

/// Whether the statistics of [`normalize`] depend on its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
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
    (mean, var, of): (&[T], &[T], Statistics),
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
        // dx = scale·(dy − mean(dy) − x̂·mean(dy·x̂)) as scale·dy + b·(x − mean) + shift; the means are the statistics' share.
        let (b, shift) = match of {
            Statistics::Given => (0.0, 0.0),
            Statistics::OfBatch => (-scale * inverse * dg / count, -scale * db[c] / count),
        };
        coefficients
            .iter_mut()
            .zip([scale, b, shift])
            .for_each(|(list, value)| list.push(T::from_f64(value)));
    }
    let [scale, b, shift] = &coefficients;
    let other = Some((dy, &scale[..]));
    Affine { x, centre: mean, scale: b, shift, other, slope: T::from_f64(1.0) }.run(CHUNK, dx);
}
