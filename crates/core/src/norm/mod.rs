//! Normalizations that change the forward pass: of weights ([`WeightNorm`]), one file each.
//!
//! A weight is treated as the matrix `[d_out, d_in·h·w]`. A layer owns its raw weight and holds a [`WeightNorm`] as a value.

mod frobenius;
mod spectral;
mod weight;

pub use frobenius::FrobeniusNorm;
pub use spectral::{SpectralNorm, unit};
pub use weight::RowNorm;

use crate::Result;
use candle_core::Tensor;
use sngan_experiment::method::Normalization;
use sngan_tensor::ops::Arm;

/// Keeps norms off zero, as the authors' code does.
pub(crate) const NORM_EPS: f64 = 1e-12;

/// Whether SN's power iteration runs before a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iterate {
    /// One iteration from the stored `u`, which is replaced.
    Once,
    /// None: v = Wᵀu/‖Wᵀu‖ from the current W; nothing is written.
    Frozen,
}

/// How one layer's weight is normalized.
#[derive(Debug, Clone)]
pub enum WeightNorm {
    /// W̄ = W.
    None,
    /// Rows of ℓ2 norm 1 (Eq. 25).
    Row(RowNorm),
    /// Frobenius norm 1 (Eq. 36).
    Frobenius(FrobeniusNorm),
    /// Largest singular value about 1 (Eq. 8).
    Spectral(SpectralNorm),
}

impl WeightNorm {
    /// The normalization of a layer; `u`, which SN alone asks for, makes its `[d_out]` of length 1.
    ///
    /// # Errors
    /// Those of `u`.
    pub fn new(kind: Normalization, u: impl FnOnce() -> Result<Tensor>) -> Result<WeightNorm> {
        Ok(match kind {
            Normalization::None | Normalization::Batch | Normalization::Layer => WeightNorm::None,
            Normalization::Weight => WeightNorm::Row(RowNorm),
            Normalization::Frobenius => WeightNorm::Frobenius(FrobeniusNorm),
            Normalization::Spectral => WeightNorm::Spectral(SpectralNorm::new(&u()?)),
        })
    }

    /// W̄ in `weight`'s shape, differentiable in `weight`. `iterate` concerns SN alone; its `u` and `v` are constants of the graph.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn normalize(&mut self, arm: Arm, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        match self {
            WeightNorm::None => Ok(weight.clone()),
            WeightNorm::Row(n) => n.normalize(weight),
            WeightNorm::Frobenius(n) => n.normalize(weight),
            WeightNorm::Spectral(n) => n.normalize(arm, weight, iterate),
        }
    }

    /// How many γ a layer with `rows` rows has: one for SN and Frobenius, one each for rows; `None` without normalization.
    pub fn gammas(&self, rows: usize) -> Option<usize> {
        match self {
            WeightNorm::None => None,
            WeightNorm::Row(_) => Some(rows),
            WeightNorm::Frobenius(_) | WeightNorm::Spectral(_) => Some(1),
        }
    }

    /// What γ starts from so that γ·W̄ = W (Eq. 32): `[1]` for SN (the exact σ) and Frobenius, `[d_out]` for rows; a 1 without normalization.
    ///
    /// # Errors
    /// Those of the tensor library and of the decomposition.
    pub fn initial_gamma(&self, weight: &Tensor) -> Result<Tensor> {
        match self {
            WeightNorm::None => Ok(Tensor::ones(1, weight.dtype(), weight.device())?),
            WeightNorm::Row(_) => Ok(weight::row_norms(weight)?.flatten_all()?),
            WeightNorm::Frobenius(_) => Ok(frobenius::norm(weight)?.reshape(1)?),
            WeightNorm::Spectral(_) => {
                let sigma = sngan_tensor::decomposition::sigma_max(weight)?;
                Ok(Tensor::new(&[sigma], weight.device())?.to_dtype(weight.dtype())?)
            }
        }
    }

    /// SN's `u`, the state that checkpoints hold.
    pub fn u(&self) -> Option<&Tensor> {
        match self {
            WeightNorm::Spectral(n) => Some(n.u()),
            WeightNorm::None | WeightNorm::Row(_) | WeightNorm::Frobenius(_) => None,
        }
    }
}
