//! Gradient normalization (Wu, Shuai, Tam and Chiu, ICCV 2021): D's output f divided by itself and its gradient's length,
//! f̂ = f/(‖∇ₓf‖ + |f|), in (−1, 1).
//!
//! With r = ‖∇ₓf‖, a = r/(r + |f|)² and b = −f/(r + |f|)², f̂ changes by a·df + b·dr. D is piecewise linear:
//! - In the image r is constant, and ∂f̂/∂x = a·∇ₓf.
//! - In the weights dr is the change of the directional derivative along t = ∇ₓf/r. With D's own side of every kink held, D is an affine
//!   function ℓ, and a·f + b·⟨t, ∇ₓf⟩ = a·ℓ(x + (b/a)·t) = a·ℓ(x − (f/r²)·∇ₓf): one pass of ℓ, differentiated once, gives both parts.
//!
//! Nothing is added to the quotient; where r = 0 its derivative is taken as 0.

use crate::Result;
use crate::model::{Discriminator, InputGradient, Labels, Weights};
use candle_core::{DType, Tensor};

/// D's normalized outputs at a batch.
#[derive(Debug, Clone)]
pub struct GradientNorm {
    x: Tensor,
    labels: Option<Labels>,
    at: InputGradient,
    /// f.
    outputs: Vec<f64>,
}

impl GradientNorm {
    /// At `x` `[N, 3, side, side]`, of the classes `labels` where D reads them.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn at(
        d: &Discriminator,
        weights: &Weights,
        x: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<GradientNorm> {
        let at = d.gradient(weights, x, labels)?;
        let outputs = at.trace.outputs.to_dtype(DType::F64)?.to_vec1()?;
        Ok(GradientNorm { x: x.detach(), labels: labels.cloned(), at, outputs })
    }

    fn by_image(&self, of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        self.outputs.iter().zip(&self.at.norms).map(|(f, r)| of(*f, *r)).collect()
    }

    /// f̂ of each image; 0 where both f and its gradient are 0.
    pub fn outputs(&self) -> Vec<f64> {
        self.by_image(|f, r| if f == 0.0 { 0.0 } else { f / (r + f.abs()) })
    }

    /// cᵢ·aᵢ.
    fn slopes(&self, c: &[f64]) -> Vec<f64> {
        let a = self.by_image(|f, r| if r > 0.0 { r / (r + f.abs()).powi(2) } else { 0.0 });
        a.iter().zip(c).map(|(a, c)| a * c).collect()
    }

    /// One number for each image, `[N, 1, 1, 1]` in the images' type.
    fn column(&self, values: Vec<f64>) -> Result<Tensor> {
        let n = values.len();
        Ok(Tensor::from_vec(values, (n, 1, 1, 1), self.x.device())?.to_dtype(self.x.dtype())?)
    }

    /// A scalar whose gradient in what made `images`, the batch in its graph, is that of Σ cᵢ·f̂ᵢ; its own value means nothing.
    ///
    /// # Errors
    /// When `images` are others than the batch.
    pub fn in_images(&self, images: &Tensor, c: &[f64]) -> Result<Tensor> {
        let slopes = self.at.gradient.broadcast_mul(&self.column(self.slopes(c))?)?;
        Ok((images * slopes)?.sum_all()?)
    }

    /// A scalar whose gradient in D's parameters is that of Σ cᵢ·f̂ᵢ; its own value means nothing.
    ///
    /// # Errors
    /// When D is not piecewise linear.
    pub fn in_weights(&self, d: &Discriminator, weights: &Weights, c: &[f64]) -> Result<Tensor> {
        let steps = self.by_image(|f, r| if r > 0.0 { -f / (r * r) } else { 0.0 });
        let moved = (&self.x + self.at.gradient.broadcast_mul(&self.column(steps)?)?)?;
        let affine = d.linearized(weights, &self.at.trace, &moved, self.labels.as_ref())?;
        let slopes = self.column(self.slopes(c))?.flatten_all()?;
        Ok((affine * slopes)?.sum_all()?)
    }
}
