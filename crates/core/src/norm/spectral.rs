//! Spectral normalization: W divided by its largest singular value, found by power iteration.

use super::{Iterate, NORM_EPS};
use crate::Result;
use candle_core::Tensor;
use sngan_tensor::ops::{self, Arm};

/// Eq. (8) with Algorithm 1's power iteration. The only state is `u`, the estimate of the first *left* singular vector.
#[derive(Debug, Clone)]
pub struct SpectralNorm {
    u: Tensor, // [d_out], ‖u‖ = 1, detached
}

impl SpectralNorm {
    /// Starts from `u` `[d_out]`, which is normalized here.
    pub(super) fn new(u: &Tensor) -> Result<SpectralNorm> {
        let u = u.detach();
        let length = (u.sqr()?.sum_all()?.sqrt()? + NORM_EPS)?;
        Ok(SpectralNorm { u: u.broadcast_div(&length)? })
    }

    pub(super) fn u(&self) -> &Tensor {
        &self.u
    }

    pub(super) fn set_u(&mut self, u: Tensor) {
        self.u = u.detach();
    }

    /// W/σ with σ = uᵀWv (Eq. 20), u and v constants: autograd then gives Eq. (12).
    ///
    /// [`Iterate::Once`] first makes v and then `u` anew from the current W (Eq. 18–19) and uses both; `u` is replaced, never changed
    /// in place, for a graph may still hold the old one.
    pub(super) fn normalize(
        &mut self,
        arm: Arm,
        weight: &Tensor,
        iterate: Iterate,
    ) -> Result<Tensor> {
        let singular =
            ops::power_iteration(arm, weight, &self.u, iterate == Iterate::Once, NORM_EPS)?;
        self.u = singular.u.clone();
        Ok(ops::divide_by_sigma(arm, weight, &singular)?)
    }
}
