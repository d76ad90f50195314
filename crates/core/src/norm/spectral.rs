//! Spectral normalization: W divided by its largest singular value, found by power iteration.

use super::{Iterate, NORM_EPS};
use crate::Result;
use candle_core::Tensor;
use sngan_tensor::ops::{self, Arm, Singular};

/// Eq. (8) with Algorithm 1's power iteration. The only state is `u`, the estimate of the first *left* singular vector.
#[derive(Debug, Clone)]
pub struct SpectralNorm {
    u: Tensor, // [d_out], ‖u‖ = 1, detached
}

/// x/‖x‖, detached: an isotropic normal draw becomes the u `[d_out]` that a fresh layer starts from (Algorithm 1).
///
/// # Errors
/// Those of the tensor library.
pub fn unit(x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let length = (x.sqr()?.sum_all()?.sqrt()? + NORM_EPS)?;
    Ok(x.broadcast_div(&length)?)
}

impl SpectralNorm {
    /// Starts from `u` `[d_out]` of length 1.
    pub fn new(u: &Tensor) -> SpectralNorm {
        SpectralNorm { u: u.detach() }
    }

    /// u, the estimate of the first left singular vector, `[d_out]`.
    pub fn u(&self) -> &Tensor {
        &self.u
    }

    /// One power iteration with `weight` (Eq. 18–19): u is replaced.
    ///
    /// # Errors
    /// When `weight` has another number of rows than u.
    pub fn advance(&mut self, arm: Arm, weight: &Tensor) -> Result<()> {
        self.singular(arm, weight, Iterate::Once).map(drop)
    }

    pub(super) fn singular(
        &mut self,
        arm: Arm,
        weight: &Tensor,
        iterate: Iterate,
    ) -> Result<Singular> {
        let singular =
            ops::power_iteration(arm, weight, &self.u, iterate == Iterate::Once, NORM_EPS)?;
        self.u = singular.u.clone();
        Ok(singular)
    }

    /// W/σ with σ = uᵀWv (Eq. 20), u and v constants; its gradient is Eq. (12), in [`ops::divide_by_sigma`].
    ///
    /// [`Iterate::Once`] first makes v and then `u` anew from the current W (Eq. 18–19) and uses both; `u` is replaced, never changed
    /// in place, for a graph may still hold the old one.
    ///
    /// # Errors
    /// When `weight` has another number of rows than u.
    pub fn normalize(&mut self, arm: Arm, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        let singular = self.singular(arm, weight, iterate)?;
        Ok(ops::divide_by_sigma(arm, weight, &singular)?)
    }
}
