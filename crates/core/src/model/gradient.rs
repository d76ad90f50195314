//! D's gradient in its input, which penalties and gradient normalization are functions of.

use super::{Discriminator, Labels, Trace, Weights};
use crate::{Error, Result};
use candle_core::{DType, Tensor, Var};

/// ∇ₓD at a batch.
#[derive(Debug, Clone)]
pub struct InputGradient {
    /// The forward pass at it, whose outputs are constant in the weights.
    pub trace: Trace,
    /// ∇ₓD of each image, `[N, 3, side, side]`; detached.
    pub gradient: Tensor,
    /// ‖∇ₓD‖₂ of each image.
    pub norms: Vec<f64>,
}

impl Discriminator {
    /// ∇ₓD at `x` `[N, 3, side, side]`, of the classes `labels` where D reads them: one forward pass and one backward pass to the images.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn gradient(
        &self,
        weights: &Weights,
        x: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<InputGradient> {
        let x = Var::from_tensor(&x.detach())?;
        let trace = self.forward(&weights.detach(), x.as_tensor(), labels)?;
        let grads = trace.outputs.sum_all()?.backward()?;
        let gradient = grads
            .get(&x)
            .ok_or_else(|| Error::Invalid("D's output does not depend on its input".into()))?
            .detach();
        let square = gradient.flatten_from(1)?.to_dtype(DType::F64)?.sqr()?.sum(1)?;
        Ok(InputGradient { trace, norms: square.sqrt()?.to_vec1()?, gradient })
    }
}
