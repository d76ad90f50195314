//! Frobenius normalization, W/‖W‖_F.

use super::NORM_EPS;
use crate::Result;
use candle_core::Tensor;

/// Eq. (36): the gradient is `(G − ⟨G, W̄⟩ W̄)/‖W‖_F`, which autograd finds from the forward pass.
#[derive(Debug, Clone, Copy)]
pub struct FrobeniusNorm;

pub(super) fn norm(weight: &Tensor) -> Result<Tensor> {
    Ok(weight.sqr()?.sum_all()?.sqrt()?)
}

impl FrobeniusNorm {
    /// W/(‖W‖_F + 1e-12).
    pub(super) fn normalize(&self, weight: &Tensor) -> Result<Tensor> {
        Ok(weight.broadcast_div(&(norm(weight)? + NORM_EPS)?)?)
    }
}
