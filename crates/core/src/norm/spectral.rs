//! Spectral normalization: W divided by its largest singular value, found by power iteration.

use super::{Iterate, NORM_EPS, matrix};
use crate::Result;
use candle_core::Tensor;

/// Eq. (8) with Algorithm 1's power iteration. The only state is `u`, the estimate of the first *left* singular vector.
#[derive(Debug, Clone)]
pub struct SpectralNorm {
    u: Tensor, // [d_out], ‖u‖ = 1, detached
}

fn unit(x: &Tensor) -> Result<Tensor> {
    let norm = (x.sqr()?.sum_all()?.sqrt()? + NORM_EPS)?;
    Ok(x.broadcast_div(&norm)?)
}

/// M·x for `m` `[a, b]`, `x` `[b]`, as a product and a sum: the same bits on any number of threads.
fn times(m: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(m.broadcast_mul(&x.unsqueeze(0)?)?.sum(1)?)
}

/// Mᵀ·x for `m` `[a, b]`, `x` `[a]`.
fn transposed_times(m: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(m.broadcast_mul(&x.unsqueeze(1)?)?.sum(0)?)
}

impl SpectralNorm {
    /// Starts from `u` `[d_out]`, which is normalized here.
    pub(super) fn new(u: &Tensor) -> Result<SpectralNorm> {
        Ok(SpectralNorm { u: unit(&u.detach())? })
    }

    pub(super) fn u(&self) -> &Tensor {
        &self.u
    }

    pub(super) fn set_u(&mut self, u: Tensor) {
        self.u = u.detach();
    }

    /// v = Wᵀu/‖Wᵀu‖, `[d_in·h·w]` (Eq. 18).
    fn v(&self, w: &Tensor) -> Result<Tensor> {
        unit(&transposed_times(w, &self.u)?)
    }

    /// W/σ with σ = uᵀWv (Eq. 20), u and v constants: autograd then gives Eq. (12).
    ///
    /// [`Iterate::Once`] first makes v and then `u` anew from the current W (Eq. 18–19) and uses both; `u` is replaced, never changed
    /// in place, for a graph may still hold the old one.
    pub(super) fn normalize(&mut self, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        let w = matrix(weight)?;
        let constant = w.detach();
        let v = self.v(&constant)?;
        if iterate == Iterate::Once {
            self.u = unit(&times(&constant, &v)?)?;
        }
        let sigma = (times(&w, &v)? * &self.u)?.sum_all()?;
        Ok(weight.broadcast_div(&sigma)?)
    }
}
