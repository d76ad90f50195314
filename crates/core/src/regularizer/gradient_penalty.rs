//! The gradient penalty (Gulrajani et al. 2017), Eq. (29)–(31), without second-order autograd.
//!
//! P(θ) = λ·E(‖g‖₂ − 1)² with g = ∇ₓD(x̂; θ). One backward pass gives g. With c = ∂P/∂g held constant,
//! ∂P/∂θ = ∂/∂θ ⟨c, ∇ₓD(x̂; θ)⟩, and ⟨c, ∇ₓD⟩ is D's directional derivative along c: a linearized forward pass that first-order
//! autograd differentiates. Exact for the piecewise linear D of the paper.

use crate::Result;
use crate::model::{Discriminator, Labels, Weights};
use candle_core::{DType, Tensor, Var};

/// The penalty's value and a scalar of the graph whose gradient in D's parameters is the penalty's.
pub struct Penalty {
    /// λ·E(‖∇D(x̂)‖ − 1)².
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
) -> Result<Penalty> {
    let x_hat = Var::from_tensor(&x_hat.detach())?;
    let trace = d.forward(&weights.detach(), x_hat.as_tensor(), labels)?;
    let grads = trace.outputs.sum_all()?.backward()?;
    let g = grads
        .get(&x_hat)
        .ok_or_else(|| crate::Error::Invalid("D's output does not depend on its input".into()))?
        .detach();

    let n = g.dim(0)?;
    let norms = g.flatten_from(1)?.to_dtype(DType::F64)?.sqr()?.sum(1)?.sqrt()?.to_vec1::<f64>()?;
    let value = lambda * norms.iter().map(|r| (r - 1.0).powi(2)).sum::<f64>() / n as f64;
    let mean_norm = norms.iter().sum::<f64>() / n as f64;
    // ∂P/∂g = λ/N · 2(‖g‖ − 1) · g/‖g‖; where g = 0 the subgradient 0.
    let scale: Vec<f64> = norms
        .iter()
        .map(|r| if *r > 0.0 { 2.0 * lambda / n as f64 * (r - 1.0) / r } else { 0.0 })
        .collect();
    let scale = Tensor::from_vec(scale, (n, 1, 1, 1), g.device())?.to_dtype(g.dtype())?;
    let surrogate = d.tangent(weights, &trace, &g.broadcast_mul(&scale)?, labels)?.sum_all()?;
    Ok(Penalty { value, mean_norm, surrogate })
}
