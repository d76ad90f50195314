//! Initial parameters (the authors' code: normal(0, 0.02) weights, zero biases).

use super::Place;
use crate::Result;
use crate::rng::Streams;
use candle_core::{Tensor, Var};
use sngan_experiment::arch::LayerKind;

/// Standard deviation of the standard CNN's initial weights.
const WEIGHT_STD: f32 = 0.02;

/// A weight from the stream `init.<name>`: normal(0, 0.02), or a random orthonormal operator.
pub(super) fn weight(kind: LayerKind, name: &str, orthonormal: bool, streams: &Streams, place: &Place) -> Result<Var> {
    let shape = kind.weight_shape();
    let rows = shape[0];
    let columns = shape[1..].iter().product::<usize>();
    let mut draws = streams.normal(&format!("init.{name}"), 0, rows * columns);
    if orthonormal {
        draws = crate::spectrum::orthonormal(rows, columns, &draws)?;
    } else {
        draws.iter_mut().for_each(|w| *w *= WEIGHT_STD);
    }
    Ok(Var::from_tensor(&place.tensor(draws, shape)?)?)
}

/// `n` values, all `value`.
pub(super) fn constant(value: f32, n: usize, place: &Place) -> Result<Tensor> {
    place.tensor(vec![value; n], n)
}
