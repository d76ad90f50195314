//! Stable rank normalization (Sanyal, Torr and Dokania, ICLR 2020), after SN.

use super::{Iterate, SpectralNorm};
use crate::Result;
use candle_core::Tensor;
use sngan_tensor::decomposition::matrix;
use sngan_tensor::ops::{self, Arm};

/// W̄ = W/σ as SN's, and of W̄ = u·vᵀ + S the second part S times √(ρ − 1)/‖S‖_F where that is below 1, so that the stable rank
/// ‖W̄‖²_F/σ₁² is at most ρ = share·min(rows, columns).
///
/// u and v are SN's, constant. Where S is multiplied the gradient in W̄ is (√(ρ − 1)/q)·(G − ⟨G, S⟩·S/q²) with q = ‖S‖_F, and SN's follows.
/// Where ρ is at most 1 the matrix would be u·vᵀ, which no gradient could change; such a matrix, as any with one row or column, has SN alone.
#[derive(Debug, Clone)]
pub struct StableRankNorm {
    spectral: SpectralNorm,
    share: f64,
}

impl StableRankNorm {
    /// Starts from SN's `u` `[d_out]`; `share` in (0, 1].
    pub fn new(u: &Tensor, share: f64) -> StableRankNorm {
        StableRankNorm { spectral: SpectralNorm::new(u), share }
    }

    /// SN's u.
    pub fn u(&self) -> &Tensor {
        self.spectral.u()
    }

    /// The normalized weight in `weight`'s shape.
    ///
    /// # Errors
    /// When `weight` has another number of rows than u.
    pub fn normalize(&mut self, arm: Arm, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        let singular = self.spectral.singular(arm, weight, iterate)?;
        let (rows, columns) = matrix(weight)?.dims2()?;
        let rank = self.share * rows.min(columns) as f64;
        if rank <= 1.0 {
            return Ok(ops::divide_by_sigma(arm, weight, &singular)?);
        }
        Ok(ops::bound_stable_rank(arm, weight, &singular, rank - 1.0)?)
    }
}
