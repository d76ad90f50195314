//! Batch normalization of `[H·W, N, C]` with γ and β per image: conditional batch normalization
//! after the rows of each image's class are chosen.
//!
//! A row of all images is a row of `N·C` columns, each with its own multiplier and shift, so the
//! passes over the map are those of plain batch normalization.

use crate::Real;
use crate::batch_norm::{NormalizedBy, affine};
use crate::plane::MapSize;
use crate::sums::{CHUNK, Terms, per_channel_by};

/// Rows of `N·C` per task: as much work as [`CHUNK`] rows of `C`.
fn rows_per_task(s: MapSize) -> usize {
    (CHUNK / s.images).max(1)
}

fn check<T>(s: MapSize, x: &[T], y: &[T], by_image: [&[T]; 2], by_channel: [&[T]; 2]) {
    assert!(x.len() == s.len() && y.len() == s.len(), "conditional batch norm over {s:?}");
    assert!(
        by_image.iter().all(|t| t.len() == s.images * s.channels)
            && by_channel.iter().all(|t| t.len() == s.channels)
    );
}

/// `y = act((x − mean)/√(var + eps)·gamma[n] + beta[n])` with statistics `[C]`, `gamma` and `beta` `[N, C]`; `act` is the identity for
/// `slope` 1, ReLU for 0.
///
/// # Panics
/// When a slice's length does not fit.
#[allow(clippy::too_many_arguments, reason = "inputs and output of one formula")]
pub fn normalize<T: Real>(
    s: MapSize,
    x: &[T],
    gamma: &[T],
    beta: &[T],
    (mean, var): (&[T], &[T]),
    eps: f64,
    slope: T,
    y: &mut [T],
) {
    check(s, x, y, [gamma, beta], [mean, var]);
    let inverse: Vec<f64> = var.iter().map(|v| 1.0 / (v.to_f64() + eps).sqrt()).collect();
    let scale = |i: usize| gamma[i].to_f64() * inverse[i % s.channels];
    let scales: Vec<T> = (0..gamma.len()).map(|i| T::from_f64(scale(i))).collect();
    let shifts: Vec<T> = (0..gamma.len())
        .map(|i| T::from_f64(beta[i].to_f64() - mean[i % s.channels].to_f64() * scale(i)))
        .collect();
    affine(x, None, [&scales, &scales, &shifts], slope, rows_per_task(s), y);
}

/// Gradients of [`normalize`]: `dx`; `dgamma = Σ dy·x̂` and `dbeta = Σ dy` per image and channel, `[N, C]`. `dy` is the gradient before the
/// activation.
///
/// # Panics
/// When a slice's length does not fit.
#[allow(clippy::too_many_arguments, reason = "inputs and outputs of one formula")]
pub fn backward<T: Real>(
    s: MapSize,
    x: &[T],
    dy: &[T],
    gamma: &[T],
    (mean, var, of): (&[T], &[T], NormalizedBy),
    eps: f64,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    check(s, x, dy, [gamma, dgamma], [mean, var]);
    assert!(dx.len() == s.len() && dbeta.len() == gamma.len());
    let columns = gamma.len();
    let means: Vec<T> = (0..columns).map(|i| mean[i % s.channels]).collect();
    let (db, dg) = per_channel_by(rows_per_task(s), Terms::Product(dy, x, &means), columns);
    let inverse: Vec<f64> = var.iter().map(|v| 1.0 / (v.to_f64() + eps).sqrt()).collect();
    // Σ γ·dy and Σ γ·dy·x̂ of each channel: the part of dx from the statistics.
    let (mut first, mut second) = (vec![0.0; s.channels], vec![0.0; s.channels]);
    for (i, g) in gamma.iter().enumerate() {
        let (c, g) = (i % s.channels, g.to_f64());
        let dg = dg[i] * inverse[c];
        (dbeta[i], dgamma[i]) = (T::from_f64(db[i]), T::from_f64(dg));
        first[c] += g * db[i];
        second[c] += g * dg;
    }
    let count = (s.pixels * s.images) as f64;
    let mut coefficients = [(); 3].map(|()| Vec::with_capacity(columns));
    for (i, g) in gamma.iter().enumerate() {
        let c = i % s.channels;
        let (b, shift) = match of {
            NormalizedBy::Given => (0.0, 0.0),
            NormalizedBy::OfBatch => {
                let b = -inverse[c] * inverse[c] * second[c] / count;
                (b, -inverse[c] * first[c] / count - b * mean[c].to_f64())
            }
        };
        let values = [g.to_f64() * inverse[c], b, shift];
        coefficients.iter_mut().zip(values).for_each(|(list, value)| list.push(T::from_f64(value)));
    }
    let [scale, b, shift] = &coefficients;
    affine(dy, Some(x), [scale, b, shift], T::from_f64(1.0), rows_per_task(s), dx);
}
