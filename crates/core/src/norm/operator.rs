//! Spectral normalization of a convolution as an operator (Farnia, Zhang and Tse, ICLR 2019; Ryu et al., ICML 2019): W divided by the norm of
//! the linear map from feature map to feature map, zero padding and stride included.

use super::{Iterate, unit};
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sngan_experiment::arch::LayerKind;
use sngan_tensor::ops::{self, Arm, FeatureMap, Finish};

/// W/σ with σ = ⟨u, W∗v⟩, where an iteration takes v = W∗ᵀu/‖W∗ᵀu‖ and then u = W∗v/‖W∗v‖ on maps.
///
/// The gradient is (G − ⟨G, W̄⟩·M)/σ, where M = ∂σ/∂W is the convolution's weight gradient at the map v and the gradient u, both constant. A
/// dense layer is a matrix as it is, and has SN.
#[derive(Debug, Clone)]
pub struct OperatorNorm {
    u: Tensor, // [1, O, H', W'], ‖u‖ = 1, detached
    stride: usize,
    padding: usize,
}

impl OperatorNorm {
    /// Starts from a map `u` `[1, O, H', W']` of length 1, of the convolution's output.
    ///
    /// # Errors
    /// A layer that is no convolution.
    pub fn new(kind: LayerKind, u: &Tensor) -> Result<OperatorNorm> {
        match kind {
            LayerKind::Conv { stride, padding, .. } => {
                Ok(OperatorNorm { u: u.detach(), stride, padding })
            }
            LayerKind::Dense { .. } | LayerKind::Deconv { .. } | LayerKind::Embedding { .. } => {
                Err(Error::Invalid("only a convolution has an operator norm of maps".into()))
            }
        }
    }

    /// u, `[1, O, H', W']`.
    pub fn u(&self) -> &Tensor {
        &self.u
    }

    fn convolved(&self, arm: Arm, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let x = FeatureMap::of(arm, x)?;
        Ok(ops::conv2d(&x, weight, self.stride, self.padding, Finish::Linear)?.to_tensor()?)
    }

    /// W̄ in `weight`'s shape `[O, I, k, k]`.
    ///
    /// # Errors
    /// When `weight` does not fit the map.
    pub fn normalize(&mut self, arm: Arm, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        let (w, u) = (weight.detach(), FeatureMap::of(arm, &self.u)?);
        let v = ops::conv_transpose2d(&u, &w, self.stride, self.padding, Finish::Linear)?;
        let v = unit(&v.to_tensor()?)?;
        let s = self.convolved(arm, &v, &w)?.detach();
        if iterate == Iterate::Once {
            self.u = unit(&s)?;
        }
        if !weight.track_op() {
            let sigma = (&self.u * s)?.sum_all()?;
            return Ok(weight.broadcast_div(&sigma)?);
        }
        let var = Var::from_tensor(&w)?;
        let sigma = (self.convolved(arm, &v, var.as_tensor())? * &self.u)?.sum_all()?;
        let grads = sigma.backward()?;
        let m = grads
            .get(&var)
            .ok_or_else(|| Error::Invalid("the operator norm does not depend on W".into()))?;
        Ok(ops::divide_by_product(arm, weight, &m.detach())?)
    }
}
