//! Penalties of D's gradient without second-order autograd; the first is Gulrajani et al.'s (2017), Eq. (29)–(31).
//!
//! P(θ) = λ·E(‖g‖₂ − 1)², or λ·E‖g‖₂², with g = ∇ₓD(x̂; θ). One backward pass gives g. With c = ∂P/∂g held constant,
//! ∂P/∂θ = ∂/∂θ ⟨c, ∇ₓD(x̂; θ)⟩, and ⟨c, ∇ₓD⟩ is D's directional derivative along c: a linearized forward pass that first-order
//! autograd differentiates. Exact for the piecewise linear D of the paper.

use super::{Piece, Term};
use crate::model::{Discriminator, Labels, Weights};
use crate::{Error, Result};
use candle_core::Tensor;

/// The length of the gradient at which a penalty is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// λ·E(‖g‖₂ − 1)².
    One,
    /// λ·E‖g‖₂².
    Zero,
}

/// The penalty's value and a scalar of the graph whose gradient in D's parameters is the penalty's.
pub struct Penalty {
    /// λ·E(‖∇D(x̂)‖ − 1)² or λ·E‖∇D(x̂)‖².
    pub value: f64,
    /// E‖∇D(x̂)‖₂.
    pub mean_norm: f64,
    /// To be added to the loss before its backward pass; its own value means nothing.
    pub surrogate: Tensor,
}

/// `x̂ = ε·x + (1 − ε)·x̃` per image, for images `[N, 3, H, W]` and `epsilon` `[N]` in [0, 1).
///
/// # Errors
/// When the shapes differ.
pub fn interpolate(real: &Tensor, fake: &Tensor, epsilon: &Tensor) -> Result<Tensor> {
    let n = epsilon.elem_count();
    let epsilon = epsilon.reshape((n, 1, 1, 1))?;
    // x̃ + ε(x − x̃) is the same with one product less.
    Ok((fake + (real - fake)?.broadcast_mul(&epsilon)?)?)
}

/// The penalty at `x_hat` `[N, 3, H, W]`, of the classes `labels` where D reads them, with the weights of this update (normalized once for
/// all its passes).
///
/// # Errors
/// When D is not piecewise linear.
pub fn penalty(
    d: &Discriminator,
    weights: &Weights,
    x_hat: &Tensor,
    labels: Option<&Labels>,
    lambda: f64,
    target: Target,
) -> Result<Penalty> {
    let at = d.gradient(weights, x_hat, labels)?;
    let (g, norms) = (at.gradient, at.norms);
    let n = norms.len() as f64;
    let of = |r: f64| match target {
        Target::One => (r - 1.0).powi(2),
        Target::Zero => r.powi(2),
    };
    let value = lambda * norms.iter().map(|r| of(*r)).sum::<f64>() / n;
    let mean_norm = norms.iter().sum::<f64>() / n;
    // ∂P/∂g = λ/N · 2(‖g‖ − 1) · g/‖g‖, or λ/N · 2g; where g = 0 the subgradient 0.
    let scale = |r: f64| match target {
        Target::One if r > 0.0 => 2.0 * lambda / n * (r - 1.0) / r,
        Target::One => 0.0,
        Target::Zero => 2.0 * lambda / n,
    };
    let scale: Vec<f64> = norms.iter().map(|r| scale(*r)).collect();
    let scale = Tensor::from_vec(scale, (norms.len(), 1, 1, 1), g.device())?.to_dtype(g.dtype())?;
    let surrogate = d.tangent(weights, &at.trace, &g.broadcast_mul(&scale)?, labels)?.sum_all()?;
    Ok(Penalty { value, mean_norm, surrogate })
}

/// [`penalty`] at `x_hat` as a term of the loss on one piece.
pub(super) fn term(
    piece: &Piece<'_>,
    x_hat: &Tensor,
    labels: Option<&Labels>,
    lambda: f64,
    target: Target,
) -> Result<Term> {
    let (d, weights) = (piece.discriminator, piece.weights);
    let penalty = penalty(d, weights, x_hat, labels, lambda, target)?;
    // A whole batch needs no further node of the graph.
    let surrogate =
        if piece.share == 1.0 { penalty.surrogate } else { (penalty.surrogate * piece.share)? };
    Ok(Term {
        value: piece.share * penalty.value,
        grad_norm: Some(piece.share * penalty.mean_norm),
        surrogate,
    })
}

/// x̂ of a piece between its real and its generated images.
pub(super) fn between(piece: &Piece<'_>) -> Result<Tensor> {
    let epsilon =
        piece.epsilon.ok_or_else(|| Error::Invalid("the gradient penalty has no ε".into()))?;
    interpolate(piece.real, piece.fake, epsilon)
}
