//! What changes D's loss, or D's weights after a step; one file each.

pub mod dragan;
pub mod gradient_penalty;
pub mod orthonormal;
mod r1;
mod static_spectrum;
pub mod weight_clipping;
mod zero_penalty;

use crate::Result;
use crate::model::{Discriminator, Labels, Weights};
use candle_core::Tensor;
use gradient_penalty::Target;
use sngan_experiment::RunSpec;
use sngan_experiment::method::Regularizer;
use sngan_tensor::ops::Arm;

/// One piece of an update of D, as a regularizer sees it.
pub(crate) struct Piece<'a> {
    pub(crate) discriminator: &'a Discriminator,
    pub(crate) arm: Arm,
    /// D's weights as this update uses them.
    pub(crate) weights: &'a Weights,
    /// Real images `[N, 3, H, W]`.
    pub(crate) real: &'a Tensor,
    /// Classes of the real images, where D reads them.
    pub(crate) labels: Option<&'a Labels>,
    /// As many generated images.
    pub(crate) fake: &'a Tensor,
    /// Their classes.
    pub(crate) fake_labels: Option<&'a Labels>,
    /// ε `[N]`, for a regularizer that draws one.
    pub(crate) epsilon: Option<&'a Tensor>,
    /// Noise `[N, 3, H, W]` in [0, 1), for a regularizer that draws it.
    pub(crate) noise: Option<&'a Tensor>,
    /// The piece's weight in the mean over the batch.
    pub(crate) share: f64,
}

/// What a regularizer adds to D's loss on one piece: its share of the update's.
pub(crate) struct Term {
    /// Its value, with its coefficient.
    pub(crate) value: f64,
    /// Its share of E‖∇D(x̂)‖₂, where it takes the gradient.
    pub(crate) grad_norm: Option<f64>,
    /// To be added to the loss before its backward pass; its own value means nothing.
    pub(crate) surrogate: Tensor,
}

/// The term of the spec's regularizer; `None` where it adds nothing to the loss.
///
/// # Errors
/// A D that it cannot be taken of; those of the tensor library.
pub(crate) fn term(spec: &RunSpec, piece: &Piece<'_>) -> Result<Option<Term>> {
    match spec.regularizer {
        Regularizer::None | Regularizer::WeightClipping | Regularizer::StaticSpectrum => Ok(None),
        Regularizer::Orthonormal => {
            let weight = piece.share * spec.orthonormal_coefficient;
            let penalty = orthonormal::penalty(piece.discriminator, piece.arm, weight)?;
            let (value, surrogate) = (penalty.value, penalty.surrogate);
            Ok(Some(Term { value, grad_norm: None, surrogate }))
        }
        Regularizer::GradientPenalty => {
            let x_hat = gradient_penalty::between(piece)?;
            let lambda = spec.penalty_lambda;
            gradient_penalty::term(piece, &x_hat, piece.labels, lambda, Target::One).map(Some)
        }
        Regularizer::R1 => r1::of_real(piece, spec.penalty_lambda).map(Some),
        Regularizer::R1R2 => r1::of_both(piece, spec.penalty_lambda).map(Some),
        Regularizer::ZeroPenalty => zero_penalty::of(piece, spec.penalty_lambda).map(Some),
        Regularizer::Dragan => dragan::of(piece, spec.penalty_lambda).map(Some),
    }
}

/// What the spec's regularizer does to D's parameters after a step, counted from 1.
///
/// # Errors
/// Those of the tensor library.
pub(crate) fn after_step(spec: &RunSpec, d: &Discriminator, step: u64) -> Result<()> {
    match spec.regularizer {
        Regularizer::WeightClipping => weight_clipping::clip(d, spec.clip, spec.clip_scope),
        Regularizer::StaticSpectrum => static_spectrum::replace(spec, d, step),
        Regularizer::None
        | Regularizer::GradientPenalty
        | Regularizer::Orthonormal
        | Regularizer::R1
        | Regularizer::R1R2
        | Regularizer::ZeroPenalty
        | Regularizer::Dragan => Ok(()),
    }
}
