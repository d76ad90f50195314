//! Orthonormal regularization (Brock et al. 2016).

use crate::Result;
use crate::model::Discriminator;
use candle_core::{DType, Tensor};
use sngan_tensor::decomposition::matrix;
use sngan_tensor::ops::{self, Arm};

/// The regularizer's value and a scalar of the graph whose gradient in D's weights is the regularizer's.
pub struct Penalty {
    /// `weight · Σ ‖WᵀW − I‖²_F`.
    pub value: f64,
    /// To be added to the loss before its backward pass; its own value is `weight · Σ ‖W·Wᵀ − I‖²_F`.
    pub surrogate: Tensor,
}

/// `weight · Σ ‖WᵀW − I‖²_F` (Eq. 14) over D's weights as matrices `[d_out, rest]`.
///
/// The graph has W·Wᵀ, `[d_out, d_out]`, which is the smaller product for nearly every layer. For W `[m, n]` both have the same eigenvalues
/// but for |n − m| zeros, each of which adds 1 to its side: ‖WᵀW − Iₙ‖²_F = ‖W·Wᵀ − Iₘ‖²_F + (n − m). So the gradients are the same, and
/// the value needs a constant alone. It is added in f64, after the graph, so no rounding of the gradient depends on it.
///
/// # Errors
/// Those of the tensor library.
pub fn penalty(d: &Discriminator, arm: Arm, weight: f64) -> Result<Penalty> {
    let (mut total, mut difference): (Option<Tensor>, f64) = (None, 0.0);
    for layer in &d.layers {
        let matrix = matrix(layer.weight.as_tensor())?;
        let (rows, columns) = matrix.dims2()?;
        difference += columns as f64 - rows as f64;
        let gram = ops::gram(arm, &matrix)?;
        let identity = Tensor::eye(rows, gram.dtype(), gram.device())?;
        let term = (gram - identity)?.sqr()?.sum_all()?;
        total = Some(match total {
            None => term,
            Some(t) => (t + term)?,
        });
    }
    let total =
        total.ok_or_else(|| crate::Error::Invalid("the discriminator has no layers".into()))?;
    let surrogate = (total * weight)?;
    let value = surrogate.to_dtype(DType::F64)?.to_scalar::<f64>()? + weight * difference;
    Ok(Penalty { value, surrogate })
}
