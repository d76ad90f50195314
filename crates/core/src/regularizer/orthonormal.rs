//! Orthonormal regularization (Brock et al. 2016).

use crate::Result;
use crate::decomposition::matrix;
use crate::model::Discriminator;
use crate::ops::{self, Arm};
use candle_core::Tensor;

/// `Σ ‖W·Wᵀ − I‖²_F` over D's weights (Eq. 14), a scalar of the graph.
///
/// The equation has `WᵀW`; for a weight with more columns than rows the two differ by a constant and so have the same gradient.
///
/// # Errors
/// Those of the tensor library.
pub fn penalty(d: &Discriminator, arm: Arm) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for layer in &d.layers {
        let gram = ops::gram(arm, &matrix(layer.weight.as_tensor())?)?;
        let identity = Tensor::eye(gram.dim(0)?, gram.dtype(), gram.device())?;
        let term = (gram - identity)?.sqr()?.sum_all()?;
        total = Some(match total {
            None => term,
            Some(t) => (t + term)?,
        });
    }
    total.ok_or_else(|| crate::Error::Invalid("the discriminator has no layers".into()))
}
