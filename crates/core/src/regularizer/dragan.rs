//! DRAGAN (Kodali, Abernethy, Hays and Kira, 2017): the gradient penalty around real images.

use super::gradient_penalty::{Target, term};
use super::{Piece, Term};
use crate::{Error, Result};
use candle_core::{DType, Tensor};

/// The noise's size, in standard deviations of the batch.
const SIZE: f64 = 0.5;

/// λ·E(‖∇D(x̂)‖ − 1)² with x̂ = x + α·0.5·std·δ: α one number in [0, 1) for each image, δ one for each value, std that of all values of the
/// piece's real images.
pub(super) fn of(piece: &Piece<'_>, lambda: f64) -> Result<Term> {
    let (Some(alpha), Some(noise)) = (piece.epsilon, piece.noise) else {
        return Err(Error::Invalid("DRAGAN's penalty has no noise".into()));
    };
    term(piece, &around(piece.real, alpha, noise)?, piece.labels, lambda, Target::One)
}

/// `x + α·0.5·std(x)·noise` for images and noise `[N, 3, H, W]` and `alpha` `[N]`; std with the count in its denominator.
///
/// # Errors
/// When the shapes differ.
pub fn around(x: &Tensor, alpha: &Tensor, noise: &Tensor) -> Result<Tensor> {
    let values: Vec<f64> = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let alpha = (alpha.reshape((alpha.elem_count(), 1, 1, 1))? * (SIZE * std))?;
    Ok((x + noise.broadcast_mul(&alpha)?)?)
}
