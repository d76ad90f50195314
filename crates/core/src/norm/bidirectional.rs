//! Bidirectional spectral normalization (Lin, Sekar and Fanti, NeurIPS 2021): W divided by the mean of the largest singular values of a
//! convolution's two matrices.

use super::{Iterate, NORM_EPS};
use crate::Result;
use candle_core::Tensor;
use sngan_tensor::ops::{self, Arm};

/// W/σ with σ = (σ₁ + σ₂)/2: σ₁ is the largest singular value of W as `[out, in·h·w]`, as SN's, and σ₂ that of W as `[in, out·h·w]`.
///
/// The gradient is (G − ⟨G, W̄⟩·M)/σ with M = ∂σ/∂W = (u₁v₁ᵀ + u₂v₂ᵀ)/2 in W's shape, the vectors constant. Each pair of vectors is found by
/// SN's power iteration. A dense layer has one matrix alone, and SN.
#[derive(Debug, Clone)]
pub struct BidirectionalNorm {
    u_out: Tensor, // [out], ‖u‖ = 1, detached
    u_in: Tensor,  // [in], the same
}

impl BidirectionalNorm {
    /// Starts from `u_out` `[out]` and `u_in` `[in]`, each of length 1.
    pub fn new(u_out: &Tensor, u_in: &Tensor) -> BidirectionalNorm {
        BidirectionalNorm { u_out: u_out.detach(), u_in: u_in.detach() }
    }

    /// The left vectors by their parts of the checkpoint's names: `u`, SN's, and `u_in`.
    pub(super) fn state(&self) -> Vec<(&'static str, &Tensor)> {
        vec![("u", &self.u_out), ("u_in", &self.u_in)]
    }

    /// W̄ in the shape of `weight` `[out, in, k, k]`.
    ///
    /// # Errors
    /// When `weight` has other channels than the vectors.
    pub fn normalize(&mut self, arm: Arm, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        let once = iterate == Iterate::Once;
        let of_outputs = ops::power_iteration(arm, weight, &self.u_out, once, NORM_EPS)?;
        let of_inputs = ops::power_iteration_of_inputs(arm, weight, &self.u_in, once, NORM_EPS)?;
        (self.u_out, self.u_in) = (of_outputs.u.clone(), of_inputs.u.clone());
        if !weight.track_op() {
            let sigma = ((of_outputs.sigma + of_inputs.sigma)? * 0.5)?;
            return Ok(weight.broadcast_div(&sigma)?);
        }
        let m = ops::mean_direction(arm, weight, &of_outputs, &of_inputs)?;
        Ok(ops::divide_by_product(arm, weight, &m)?)
    }
}
