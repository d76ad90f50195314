//! Weight normalization without multiplier: each row of W divided by its ℓ2 norm.

use super::NORM_EPS;
use crate::Result;
use candle_core::Tensor;
use sngan_tensor::decomposition::matrix;

/// Eq. (25) (Salimans & Kingma 2016, without g).
#[derive(Debug, Clone, Copy)]
pub struct RowNorm;

/// ℓ2 norms of the rows, `[d_out, 1]`.
pub(super) fn row_norms(weight: &Tensor) -> Result<Tensor> {
    Ok(matrix(weight)?.sqr()?.sum_keepdim(1)?.sqrt()?)
}

impl RowNorm {
    /// Rows of norm 1, in `weight`'s shape.
    pub(super) fn normalize(&self, weight: &Tensor) -> Result<Tensor> {
        let norms = (row_norms(weight)? + NORM_EPS)?;
        Ok(matrix(weight)?.broadcast_div(&norms)?.reshape(weight.shape())?)
    }
}
